"""The adapter to stable-baselines3."""

import gymnasium as gym
import numpy as np
import pytest
import sb3_contrib
import stable_baselines3 as sb3
import torch
from stable_baselines3.common.callbacks import EvalCallback
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import VecMonitor, VecNormalize

import arm_env
from arm_env.sb3 import Smoothed, Trained, as_sb3_vec_env

ENVIRONMENTS = ["ReachArm-v0", "CircleArm-v0"]


class Constant:
    """The same excitations always, as SB3's models give them."""

    def __init__(self, action):
        self.action = np.asarray(action, dtype=np.float32)

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        return np.tile(self.action, (len(observation), 1)), state


@pytest.mark.parametrize("env_id", ENVIRONMENTS)
def test_steps_are_those_of_the_native_environment(env_id):
    adapted = as_sb3_vec_env(env_id, 3, max_episode_steps=5)
    native = gym.make_vec(env_id, num_envs=3, max_episode_steps=5, autoreset_mode=gym.vector.AutoresetMode.SAME_STEP)
    adapted.seed(4)
    np.testing.assert_array_equal(adapted.reset(), native.reset(seed=4)[0])
    rng = np.random.default_rng(0)
    total = np.zeros(3)
    for t in range(1, 13):
        u = rng.uniform(0, 1, (3, 6))
        observation, reward, done, infos = adapted.step(2 * u - 1)
        expected = native.step(u)
        np.testing.assert_allclose(observation, expected[0], rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(reward, expected[1], rtol=1e-6)
        np.testing.assert_array_equal(done, expected[3])
        total += expected[1]
        assert done.all() == (t % 5 == 0)
        for i in np.flatnonzero(done):
            np.testing.assert_allclose(
                infos[i]["terminal_observation"], expected[4]["final_obs"][i], rtol=1e-6, atol=1e-7
            )
            assert infos[i]["TimeLimit.truncated"] is True
            assert infos[i]["episode"]["l"] == 5 and infos[i]["episode"]["r"] == pytest.approx(total[i])
        total[done] = 0


def test_seeds_are_used_once():
    adapted = as_sb3_vec_env("ReachArm-v0", 2)
    adapted.seed(7)
    first, second = adapted.reset(), adapted.reset()
    adapted.seed(7)
    np.testing.assert_array_equal(adapted.reset(), first)
    assert not np.array_equal(first, second)


def test_options_reach_all_arms_and_must_agree():
    adapted = as_sb3_vec_env("ReachArm-v0", 2, noise=0.0)
    adapted.set_options({"targets": [[0.1, 0.4]]})
    np.testing.assert_allclose(adapted.reset()[:, 18:], [[0.1, 0.4]] * 2, rtol=1e-6)
    adapted.set_options([{"targets": [[0.1, 0.4]]}, {}])
    with pytest.raises(ValueError, match="same options"):
        adapted.reset()


@pytest.mark.parametrize("env_id", ENVIRONMENTS)
def test_evaluate_policy_agrees_with_our_own_evaluation(env_id):
    action = np.linspace(-0.9, -0.5, 6)
    adapted = VecMonitor(as_sb3_vec_env(env_id, 8))
    adapted.seed(11)
    mean, _ = evaluate_policy(Constant(action), adapted, n_eval_episodes=8)
    ours = arm_env.evaluate(Trained(Constant(action)), env_id, movements=8, seed=11)
    assert -mean == pytest.approx(ours.mean_value, rel=1e-6)


def test_what_a_single_arm_does_not_have_is_refused():
    adapted = as_sb3_vec_env("ReachArm-v0", 2)
    with pytest.raises(ValueError, match="share their attributes"):
        adapted.set_attr("render_mode", None, indices=[0])
    with pytest.raises(AttributeError, match="no reset"):
        adapted.env_method("reset")
    assert adapted.env_is_wrapped(gym.Wrapper) == [False, False]


ALGORITHMS = {
    sb3.PPO: ("MlpPolicy", {"n_steps": 16, "batch_size": 32, "n_epochs": 1, "policy_kwargs": {"net_arch": [8]}}),
    sb3.SAC: ("MlpPolicy", {"learning_starts": 40, "policy_kwargs": {"net_arch": [8]}}),
    sb3_contrib.TQC: ("MlpPolicy", {"learning_starts": 40, "policy_kwargs": {"net_arch": [8]}}),
    sb3_contrib.RecurrentPPO: (
        "MlpLstmPolicy",
        {"n_steps": 16, "batch_size": 32, "n_epochs": 1, "policy_kwargs": {"net_arch": [8], "lstm_hidden_size": 8}},
    ),
}


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda a: a.__name__)
def test_algorithms_train_evaluate_save_and_load(algorithm, tmp_path):
    policy, settings = ALGORITHMS[algorithm]
    envs = VecNormalize(VecMonitor(as_sb3_vec_env("ReachArm-v0", 4, max_episode_steps=20)))
    held_out = VecNormalize(
        VecMonitor(as_sb3_vec_env("ReachArm-v0", 3, max_episode_steps=20)), training=False, norm_reward=False
    )
    callback = EvalCallback(held_out, n_eval_episodes=3, eval_freq=15, log_path=str(tmp_path), verbose=0)
    model = algorithm(policy, envs, seed=0, device="cpu", **settings)
    before = [p.detach().clone() for p in model.policy.parameters()]
    model.learn(128, callback)
    assert any(not torch.equal(p, q) for p, q in zip(before, model.policy.parameters(), strict=True))
    results = np.load(tmp_path / "evaluations.npz")["results"]
    assert results.shape == (2, 3) and (results < 0).all()
    model.save(tmp_path / "model.zip")
    envs.save(str(tmp_path / "normalisation.pkl"))
    loaded = algorithm.load(tmp_path / "model.zip", device="cpu")
    statistics = VecNormalize.load(str(tmp_path / "normalisation.pkl"), as_sb3_vec_env("ReachArm-v0", 1))
    scores = [
        arm_env.evaluate(Trained(m, n), movements=4, seed=0).mean_value
        for m, n in ((model, envs), (loaded, statistics))
    ]
    assert scores[0] == pytest.approx(scores[1], rel=1e-6)


def test_a_recurrent_policy_agrees_with_our_own_evaluation():
    policy, settings = ALGORITHMS[sb3_contrib.RecurrentPPO]
    adapted = VecMonitor(as_sb3_vec_env("ReachArm-v0", 6))
    model = sb3_contrib.RecurrentPPO(policy, adapted, seed=1, device="cpu", **settings)
    adapted.seed(12)
    mean, _ = evaluate_policy(model, adapted, n_eval_episodes=6)
    ours = arm_env.evaluate(Trained(model), "ReachArm-v0", movements=6, seed=12)
    assert -mean == pytest.approx(ours.mean_value, rel=1e-6)


class Leaning:
    """Excitations that depend on what is observed, as SB3's models give them."""

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        return np.tanh(3 * np.asarray(observation)[:, 6:12] - 0.8), state


@pytest.mark.parametrize("time_constant", [0.03, 0.2])
def test_smoothed_observations_are_the_same_in_training_and_in_evaluation(time_constant):
    adapted = VecMonitor(Smoothed(as_sb3_vec_env("ReachArm-v0", 6, max_episode_steps=200), time_constant))
    adapted.seed(13)
    mean, _ = evaluate_policy(Leaning(), adapted, n_eval_episodes=6)
    ours = arm_env.evaluate(Trained(Leaning(), smoothing=time_constant), movements=6, seed=13)
    assert -mean == pytest.approx(ours.mean_value, rel=1e-6)
    rough = arm_env.evaluate(Trained(Leaning()), movements=6, seed=13)
    assert abs(rough.mean_value - ours.mean_value) > 1e-4


def test_smoothing_begins_anew_with_every_episode():
    plain = as_sb3_vec_env("ReachArm-v0", 3, max_episode_steps=4)
    smooth = Smoothed(as_sb3_vec_env("ReachArm-v0", 3, max_episode_steps=4), 0.05)
    for envs in (plain, smooth):
        envs.seed(2)
    mean, keep = plain.reset(), np.exp(-0.01 / 0.05)
    np.testing.assert_array_equal(smooth.reset(), mean)
    for t in range(1, 10):
        action = np.full((3, 6), -0.5 + 0.1 * t, dtype=np.float32)
        seen, _, done, infos = plain.step(action)
        shown, _, _, smoothed = smooth.step(action)
        for i in np.flatnonzero(done):
            last = keep * mean[i] + (1 - keep) * infos[i]["terminal_observation"]
            np.testing.assert_allclose(smoothed[i]["terminal_observation"], last, rtol=1e-5, atol=1e-6)
        mean = np.where(done[:, None], seen, keep * mean + (1 - keep) * seen)
        np.testing.assert_allclose(shown, mean, rtol=1e-5, atol=1e-6)
        assert done.all() == (t % 4 == 0)


def test_a_time_constant_below_zero_is_refused():
    with pytest.raises(ValueError, match="0 s or above, not -1"):
        Smoothed(as_sb3_vec_env("ReachArm-v0", 1), -1.0)
    with pytest.raises(ValueError, match="0 s or above, not nan"):
        Trained(Leaning(), smoothing=float("nan"))
