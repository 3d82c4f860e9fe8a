"""Step the environment by hand, and print observation, reward and position of the hand."""

import gymnasium as gym

import arm_env  # noqa: F401  (registers ReachArm-v0)

env = gym.make("ReachArm-v0", noise=0.0)
observation, info = env.reset(seed=0)
print(f"the hand rests at {info['hand'].round(3)} m, which is the first target")

total = 0.0
for _ in range(50):  # half a second at 10 ms
    action = env.action_space.low.copy()
    action[2] = 0.3  # excite the elbow flexor (order: SF SE EF EE BF BE)
    observation, reward, terminated, truncated, info = env.step(action)
    total += reward

named = dict(zip(env.unwrapped.observation_names, observation, strict=True))
print(
    f"after 0.5 s of elbow flexor the hand is at {info['hand'].round(3)} m, "
    f"{info['distance']:.3f} m away"
)
print(
    f"its length is {named['length_EF']:.2f} optimal lengths, its tension {named['tension_EF']:.2f}"
)
print(f"the reward so far is {total:.3f}")
