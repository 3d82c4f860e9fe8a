"""The adapter to stable-baselines3."""

import contextlib
import copy
import pickle
import re
import warnings

import gymnasium as gym
import imageio_ffmpeg
import numpy as np
import pytest
import sb3_contrib
import stable_baselines3 as sb3
import torch
from stable_baselines3.common.callbacks import EvalCallback
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecMonitor, VecNormalize, VecVideoRecorder

import arm_env
from arm_env.sb3 import ArmVecEnv, Smoothed, Trained, as_sb3_vec_env

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
    native = gym.make_vec(
        env_id, num_envs=3, max_episode_steps=5, autoreset_mode=gym.vector.AutoresetMode.SAME_STEP
    )
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
            assert infos[i]["episode"]["l"] == 5 and infos[i]["episode"]["r"] == pytest.approx(
                total[i]
            )
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
    adapted = as_sb3_vec_env(env_id, 8)
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


def test_an_episode_s_end_says_how_it_ended():
    adapted = as_sb3_vec_env("ReachArm-v0", 3, max_episode_steps=4)
    native = gym.make_vec("ReachArm-v0", num_envs=3, max_episode_steps=4, autoreset_mode="SameStep")
    adapted.seed(4)
    adapted.reset(), native.reset(seed=4)
    for _ in range(4):
        infos = adapted.step(np.zeros((3, 6)))[3]
        final = native.step(np.full((3, 6), 0.5))[4]
    for i, info in enumerate(infos):
        for key in ("distance", "cost_distance", "cost_velocity", "cost_effort", "is_success"):
            assert info[key] == final["final_info"][key][i] and type(info[key]) is type(
                final["final_info"][key][i].item()
            )


def test_a_monitor_writes_what_it_is_asked_for(tmp_path):
    with pytest.warns(UserWarning, match="already wrapped"):  # episodes are reported without one
        adapted = VecMonitor(
            as_sb3_vec_env("ReachArm-v0", 2, max_episode_steps=3),
            str(tmp_path / "monitor.csv"), info_keywords=("distance", "is_success"),
        )  # fmt: skip
    adapted.reset()
    for _ in range(3):
        infos = adapted.step(np.zeros((2, 6)))[3]
    assert [info["episode"].keys() for info in infos] == [
        {"r", "l", "t", "distance", "is_success"}
    ] * 2
    adapted.close()
    assert (tmp_path / "monitor.csv").read_text().splitlines()[1] == "r,l,t,distance,is_success"


@pytest.mark.filterwarnings("error")
def test_evaluate_policy_does_without_a_monitor():
    assert as_sb3_vec_env("ReachArm-v0", 2).env_is_wrapped(Monitor) == [True, True]
    evaluate_policy(
        Constant(np.zeros(6)),
        as_sb3_vec_env("ReachArm-v0", 2, max_episode_steps=3),
        n_eval_episodes=2,
    )


def test_an_evaluation_knows_the_rate_of_success(tmp_path):
    train, test = (as_sb3_vec_env("ReachArm-v0", 2, max_episode_steps=8) for _ in range(2))
    callback = EvalCallback(test, n_eval_episodes=2, eval_freq=8, log_path=str(tmp_path), verbose=0)
    sb3.PPO("MlpPolicy", train, n_steps=8, batch_size=16, n_epochs=1, device="cpu").learn(
        32, callback=callback
    )
    assert np.load(tmp_path / "evaluations.npz")["successes"].shape[1] == 2


@pytest.mark.parametrize(("control_period", "rate"), [(0.01, 100), (0.04, 25), (0.03, 33)])
def test_films_run_in_real_time(control_period, rate, tmp_path):
    arms = as_sb3_vec_env("ReachArm-v0", 2, render_mode="rgb_array", control_period=control_period)
    assert arms.metadata == {"render_modes": ["rgb_array"], "render_fps": rate}
    film = VecVideoRecorder(arms, str(tmp_path), lambda step: step == 0, video_length=6)
    film.reset()
    for _ in range(8):
        film.step(np.zeros((2, 6)))
    film.close()
    (path,) = tmp_path.glob("*.mp4")
    with imageio_ffmpeg_frames(path) as metadata:
        assert metadata["fps"] == pytest.approx(rate, abs=0.5)


@contextlib.contextmanager
def imageio_ffmpeg_frames(path):
    frames = imageio_ffmpeg.read_frames(str(path))
    yield next(frames)
    frames.close()


@pytest.mark.parametrize("mode", ["sync", "async", gym.VectorizeMode.SYNC])
def test_other_ways_to_vectorise_are_refused_in_a_sentence(mode):
    with pytest.raises(
        ValueError, match=r"own vector environment, not 'ReachArm-v0' .* use .*make_vec_env"
    ):
        as_sb3_vec_env("ReachArm-v0", 4, vectorization_mode=mode)


@pytest.mark.parametrize("env_id", ["CartPole-v1", "Pendulum-v1"])
def test_other_environments_are_refused_in_a_sentence(env_id):
    with pytest.raises(
        ValueError, match=f"this package's arms .* not '{env_id}': use .*make_vec_env"
    ):
        as_sb3_vec_env(env_id, 4)
    with pytest.raises(ValueError, match="vector environment of this package"):
        ArmVecEnv(gym.make_vec(env_id, 2))


def test_the_native_way_may_be_named():
    assert as_sb3_vec_env("ReachArm-v0", 2, vectorization_mode="vector_entry_point").num_envs == 2


def test_attributes_act_or_are_refused():
    adapted = as_sb3_vec_env("ReachArm-v0", 3, max_episode_steps=2)
    smooth = Smoothed(adapted, 0.05)
    smooth.set_attr("noise", 0.0)
    adapted.set_attr("noise", 0.0, indices=[0, 1, 2])
    assert smooth.get_attr("noise") == [0.0, 0.0, 0.0] and adapted.get_attr("noise", indices=0) == [
        0.0
    ]
    assert adapted.has_attr("perturbation") and not adapted.has_attr("nosie")
    adapted.reset()
    assert adapted.envs.unwrapped.simulation.settings.noise == 0.0
    for name, value, error in (
        ("nosie", 0.0, AttributeError),
        ("arm", None, AttributeError),
        ("noise", -1, ValueError),
    ):
        with pytest.raises(error, match=name):
            adapted.set_attr(name, value)


@pytest.mark.parametrize(
    "way", [copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))], ids=["copy", "pickle"]
)
def test_a_copy_of_the_adapter_goes_the_same_way(way):
    adapted = Smoothed(as_sb3_vec_env("CircleArm-v0", 2, max_episode_steps=5), 0.05)
    adapted.seed(3)
    adapted.reset()
    adapted.step(np.zeros((2, 6)))
    copied = way(adapted)
    assert copied.get_attr("noise") == [0.2, 0.2]  # through the wrapper
    for _ in range(12):
        for ours, theirs in zip(
            adapted.step(np.full((2, 6), 0.2))[:3],
            copied.step(np.full((2, 6), 0.2))[:3],
            strict=True,
        ):
            np.testing.assert_array_equal(ours, theirs)


ALGORITHMS = {
    sb3.PPO: (
        "MlpPolicy",
        {"n_steps": 16, "batch_size": 32, "n_epochs": 1, "policy_kwargs": {"net_arch": [8]}},
    ),
    sb3.SAC: ("MlpPolicy", {"learning_starts": 40, "policy_kwargs": {"net_arch": [8]}}),
    sb3_contrib.TQC: ("MlpPolicy", {"learning_starts": 40, "policy_kwargs": {"net_arch": [8]}}),
    sb3_contrib.CrossQ: ("MlpPolicy", {"learning_starts": 40, "policy_kwargs": {"net_arch": [8]}}),
    sb3_contrib.RecurrentPPO: (
        "MlpLstmPolicy",
        {
            "n_steps": 16,
            "batch_size": 32,
            "n_epochs": 1,
            "policy_kwargs": {"net_arch": [8], "lstm_hidden_size": 8},
        },
    ),
}


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda a: a.__name__)
def test_algorithms_train_evaluate_save_and_load(algorithm, tmp_path):
    policy, settings = ALGORITHMS[algorithm]
    envs = VecNormalize(VecMonitor(as_sb3_vec_env("ReachArm-v0", 4, max_episode_steps=20)))
    held_out = VecNormalize(
        VecMonitor(as_sb3_vec_env("ReachArm-v0", 3, max_episode_steps=20)),
        training=False,
        norm_reward=False,
    )
    callback = EvalCallback(
        held_out, n_eval_episodes=3, eval_freq=15, log_path=str(tmp_path), verbose=0
    )
    model = algorithm(policy, envs, seed=0, device="cpu", **settings)
    before = [p.detach().clone() for p in model.policy.parameters()]
    model.learn(128, callback)
    assert any(
        not torch.equal(p, q) for p, q in zip(before, model.policy.parameters(), strict=True)
    )
    results = np.load(tmp_path / "evaluations.npz")["results"]
    assert results.shape == (2, 3) and (results < 0).all()
    model.save(tmp_path / "model.zip")
    envs.save(str(tmp_path / "normalisation.pkl"))
    loaded = algorithm.load(tmp_path / "model.zip", device="cpu")
    statistics = VecNormalize.load(
        str(tmp_path / "normalisation.pkl"), as_sb3_vec_env("ReachArm-v0", 1)
    )
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


@pytest.mark.parametrize("time_constant", [0.03, 0.2, (0.2, 0.0)])
def test_smoothed_observations_are_the_same_in_training_and_in_evaluation(time_constant):
    adapted = Smoothed(as_sb3_vec_env("ReachArm-v0", 6, max_episode_steps=200), time_constant)
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
    mean = plain.reset()
    keep = np.exp(-0.01 / 0.05)
    np.testing.assert_array_equal(smooth.reset(), mean)
    for t in range(1, 10):
        action = np.full((3, 6), -0.5 + 0.1 * t, dtype=np.float32)
        seen, _, done, infos = plain.step(action)
        shown, _, _, smoothed = smooth.step(action)
        for i in np.flatnonzero(done):
            last = keep * mean[i] + (1 - keep) * infos[i]["terminal_observation"]
            np.testing.assert_allclose(
                smoothed[i]["terminal_observation"], last, rtol=1e-5, atol=1e-6
            )
        mean = np.where(done[:, None], seen, keep * mean + (1 - keep) * seen)
        np.testing.assert_allclose(shown, mean, rtol=1e-5, atol=1e-6)
        assert done.all() == (t % 4 == 0)


def test_several_time_constants_show_their_means_side_by_side():
    fast, slow, both = (
        Smoothed(as_sb3_vec_env("ReachArm-v0", 3, max_episode_steps=4), each)
        for each in (0.05, 0.3, np.array([0.05, 0.3]))
    )
    assert both.observation_space.shape == (40,)
    for envs in (fast, slow, both):
        envs.seed(2)
    np.testing.assert_array_equal(both.reset(), np.hstack([fast.reset(), slow.reset()]))
    for _ in range(9):
        action = np.full((3, 6), -0.3, dtype=np.float32)
        one, other, shown = (envs.step(action) for envs in (fast, slow, both))
        np.testing.assert_array_equal(shown[0], np.hstack([one[0], other[0]]))
        for i in np.flatnonzero(shown[2]):
            ends = [infos[i]["terminal_observation"] for infos in (one[3], other[3])]
            np.testing.assert_array_equal(shown[3][i]["terminal_observation"], np.hstack(ends))


def small(arms):
    return sb3.PPO(
        "MlpPolicy", arms, n_steps=16, batch_size=32, n_epochs=1, seed=0, device="cpu", verbose=0
    ).learn(64)


@pytest.mark.parametrize("max_excitation", [1.0, 0.5])
@pytest.mark.parametrize("time_constant", [0.0, 0.1, [0.03, 0.2]])
def test_a_model_knows_what_it_was_trained_on_saved_or_not(max_excitation, time_constant, tmp_path):
    """One controller in training, in ours, and in a single environment; nothing is told twice."""
    settings = {"arm": {"max_excitation": max_excitation}, "control_period": 0.02}
    arms = Smoothed(
        as_sb3_vec_env("ReachArm-v0", 4, max_episode_steps=100, **settings), time_constant
    )
    model = small(arms)
    model.save(tmp_path / "model")
    arms.seed(21)
    mean, _ = evaluate_policy(model, arms, n_eval_episodes=4)
    again = sb3.PPO.load(tmp_path / "model", device="cpu")
    for controller in (model, again, Trained(again, control_period=0.02)):
        ours = arm_env.evaluate(controller, movements=4, seed=21, **settings)
        assert -mean == pytest.approx(ours.mean_value, rel=1e-5)


def test_a_model_smooths_by_the_clock_of_the_environment_that_it_acts_in():
    """Trained at 50 ms, it sees the same mean at 10 ms."""
    model = small(
        Smoothed(as_sb3_vec_env("ReachArm-v0", 4, control_period=0.05, max_episode_steps=40), 0.05)
    )
    here = arm_env.evaluate(model, movements=4, seed=23)
    assert here == arm_env.evaluate(Trained(model, control_period=0.01), movements=4, seed=23)
    with pytest.raises(
        ValueError, match=r"acts every 0.05 s, .* in 0.01 s: give both the same control_period"
    ):
        arm_env.evaluate(Trained(model, control_period=0.05), movements=4, seed=23)


def test_a_controller_acts_without_exploration_noise():
    controller = Trained(small(as_sb3_vec_env("ReachArm-v0", 4)))
    observation = np.zeros((3, 20), dtype=np.float32)
    first, second = controller.predict(observation)[0], controller.predict(observation)[0]
    np.testing.assert_array_equal(first, second)


def test_what_a_model_can_not_act_on_is_refused():
    controller = Trained(small(as_sb3_vec_env("ReachArm-v0", 4)))
    with pytest.raises(
        ValueError, match=r"takes observations of 20 signals, not of shape \(3, 22\)"
    ):
        controller.predict(np.zeros((3, 22)))
    state = controller.predict(np.zeros((3, 20)))[1]
    with pytest.raises(ValueError, match="the state is for observations of shape"):
        controller.predict(np.zeros((5, 20)), state)
    for model in ("runs/ppo/model", None, 3):
        with pytest.raises(ValueError, match="stable-baselines3 model, not of"):
            Trained(model)
    with pytest.raises(ValueError, match="SameStep"):
        ArmVecEnv(gym.make_vec("ReachArm-v0", 2))
    with pytest.raises(ValueError, match="Smoothed wraps"):
        Smoothed(as_sb3_vec_env, 0.1)


@pytest.mark.parametrize("time_constant", [0.05, [0.05, 0.3]])
def test_a_normalised_model_brings_its_statistics_or_is_given_them(time_constant, tmp_path):
    """The warning says how: its words are run here."""
    arms = as_sb3_vec_env("ReachArm-v0", 4, max_episode_steps=200)
    arms = VecNormalize(Smoothed(arms, time_constant))
    model = small(arms)
    arms.training = False
    model.save(tmp_path / "model")
    arms.save(tmp_path / "statistics")
    ours = arm_env.evaluate(model, movements=4, seed=22).mean_value
    loaded = sb3.PPO.load(tmp_path / "model", device="cpu")
    with pytest.warns(
        UserWarning, match=r"seen normalised observations: give Trained the statistics"
    ) as warned:
        assert arm_env.evaluate(loaded, movements=4, seed=22).mean_value != ours
    advice = re.search(r"Trained\(.*", str(warned[0].message))[0]
    names = {"model": loaded, "path": tmp_path / "statistics", "env_id": "ReachArm-v0"}
    with warnings.catch_warnings(action="error"):
        controller = eval(advice, globals(), names)
        assert arm_env.evaluate(controller, movements=4, seed=22).mean_value == ours


@pytest.mark.parametrize("noise", [0.2, 1.0])
@pytest.mark.parametrize(
    "wrap", [lambda e: e, lambda e: VecNormalize(e, norm_obs=False), lambda e: Smoothed(e, 0.1)]
)
@pytest.mark.filterwarnings("error")
def test_a_model_that_saw_the_senses_as_they_are_needs_no_statistics(noise, wrap, tmp_path):
    model = small(wrap(as_sb3_vec_env("ReachArm-v0", 4, noise=noise)))
    model.save(tmp_path / "model")
    Trained(sb3.PPO.load(tmp_path / "model", device="cpu"))


def test_smoothed_observations_belong_to_whom_they_are_given():
    ours, theirs = (Smoothed(as_sb3_vec_env("ReachArm-v0", 3, noise=0.0), 0.1) for _ in range(2))
    for envs in (ours, theirs):
        envs.seed(3)
    first = ours.reset()
    other = theirs.reset()
    first[:] = np.nan
    for _ in range(3):
        first, other = (envs.step(np.zeros((3, 6), dtype=np.float32))[0] for envs in (ours, theirs))
        np.testing.assert_array_equal(first, other)
        first[:] = np.nan


def test_what_a_model_sees_must_be_finite():
    controller = Trained(small(as_sb3_vec_env("ReachArm-v0", 4)))
    observation = np.zeros((3, 20), dtype=np.float32)
    observation[1, 2] = np.nan
    with pytest.raises(ValueError, match="finite observations, and signal 2 is nan"):
        controller.predict(observation)
    controller.predict(torch.zeros(3, 20, requires_grad=True))


def test_a_model_of_unscaled_actions_is_left_as_it_is():
    model = small(gym.make("ReachArm-v0"))
    observation = np.zeros((3, 20), dtype=np.float32)
    np.testing.assert_array_equal(Trained(model).predict(observation, deterministic=True)[0],
                                  model.predict(observation, deterministic=True)[0])  # fmt: skip


def test_a_model_behind_another_library_s_scaling_is_a_controller():
    rescaled = gym.wrappers.RescaleAction(gym.make("ReachArm-v0"), -1.0, 1.0)
    model = small(rescaled)
    observation = np.zeros((1, 20), dtype=np.float32)
    action = Trained(model).predict(observation, deterministic=True)[0]
    np.testing.assert_allclose(
        action, rescaled.action(model.predict(observation, deterministic=True)[0]), rtol=1e-6
    )


def test_a_time_constant_below_zero_is_refused():
    with pytest.raises(ValueError, match=r"time constant .* from 0 to 1000000, not -1"):
        Smoothed(as_sb3_vec_env("ReachArm-v0", 1), -1.0)
    with pytest.raises(ValueError, match=r"time constant .* not nan"):
        Trained(Leaning(), smoothing=float("nan"))
    with pytest.raises(ValueError, match=r"time constant .* not -1"):
        Smoothed(as_sb3_vec_env("ReachArm-v0", 1), (0.1, -1))
    with pytest.raises(ValueError, match="at least one time constant"):
        Smoothed(as_sb3_vec_env("ReachArm-v0", 1), ())
