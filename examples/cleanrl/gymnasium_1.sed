# What CleanRL's ppo_continuous_action.py needs under Gymnasium 1, whatever the environment.
# The script was written for Gymnasium 0.29.
#   sed -f gymnasium_1.sed ppo_continuous_action.py > ppo.py

# TransformObservation asks for the observation space.
s/np\.clip(obs, -10, 10))$/np.clip(obs, -10, 10), env.observation_space)/

# An arm whose episode ended starts again in the same step, as in Gymnasium 0.29.
s/for i in range(args\.num_envs)\]$/&, autoreset_mode="SameStep"/

# The infos of ended episodes are one dictionary of arrays, and no list of dictionaries.
s/for info in infos\["final_info"\]:/ended = infos["final_info"]["episode"]\
                for info in [{"episode": {k: ended[k][i] for k in "rl"}} for i in ended["_r"].nonzero()[0]]:/
