"""Pictures of a body seen from above, drawn with pygame; a ``Drawing`` gives points and lines."""

from itertools import pairwise
from typing import Any
from weakref import WeakSet

import numpy as np
from gymnasium.error import DependencyNotInstalled

from arm_env.envs.drawing import Pose, drawing_of
from arm_env.tasks.reach import Reach
from arm_env.tasks.task import Task

Colour = tuple[int, ...]

# [px], [px], [px/m]
WIDTH = 720
HEIGHT = 540
SCALE = 540
# [m] the corner of the view
LEFT = -0.65
TOP = 0.70
FINE = 2  # pictures are drawn this much larger and averaged down, which smooths the edges

PAPER = (252, 252, 250)
INK = (90, 90, 98)
TRACK = (236, 234, 232)
TRUNK = (232, 228, 223)
HEAD = (218, 212, 205)
BONE = (246, 240, 226)
WORKSPACE = (226, 236, 247)
BACKDROP = {"trunk": TRUNK, "head": HEAD, "workspace": WORKSPACE}
TARGET, TARGET_EDGE = (172, 219, 186), (84, 176, 114)
HAND = (38, 70, 130)
RESTING = (226, 202, 202)
ACTIVE = (208, 12, 36)

BARS = (16, 38)  # [px] the activation bars lie in a corner that the hand can't reach
# muscles are thickest in the middle, bones at the ends
BELLY = np.sin(np.linspace(0, np.pi, 48)) ** 0.7
BONE_WIDTH = 0.009 + 0.006 * np.linspace(-1, 1, 41) ** 6  # [m] half


def to_pixels(points: Any) -> np.ndarray:
    """Return the column and row [px], (..., 2), of points [m], (..., 2), in a frame."""
    return (np.asarray(points, dtype=float) - (LEFT, TOP)) * (SCALE, -SCALE)


def to_metres(pixel: Any) -> np.ndarray:
    """Return the point [m], (..., 2), at a column and row [px], (..., 2), of a frame."""
    return np.asarray(pixel, dtype=float) / (SCALE, -SCALE) + (LEFT, TOP)


def activation_colour(activation: float) -> Colour:
    """Return the colour of an activation: pale grey-pink at 0, red at 1 and above."""
    return _mix(RESTING, ACTIVE, float(np.clip(activation, 0, 1)))


def _mix(colour: Colour, other: Colour, share: float) -> Colour:
    return tuple(round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))


class Renderer:
    """A renderer of a task's body.

    ``mode`` is 'rgb_array' (frames are returned) or 'human' (they are shown in a window, ``fps``
    frames a second). Raises ValueError for another mode, and DependencyNotInstalled without pygame.
    ``pointer`` is the place in the window [m], (2,), at which the left mouse button is down, or
    None. It is renewed with every frame. A click between two frames counts for one frame.

    A copy draws on a canvas of its own. All renderers of a process share pygame's one window. It is
    opened when one of them draws and closed with the last of them.
    """

    _showing: WeakSet["Renderer"] = WeakSet()  # those that have drawn into the window

    def __init__(self, arm: Any, mode: str, fps: int, task: Task | None = None):
        if mode not in ("rgb_array", "human"):
            raise ValueError(f"mode must be 'rgb_array' or 'human', not {mode!r}")
        self.arm, self.mode, self.fps, self.task = arm, mode, fps, task or Reach()
        try:
            import pygame
        except ImportError as e:
            raise DependencyNotInstalled(
                "pygame is not installed, run `pip install pygame-ce`"
            ) from e
        self.pygame: Any = pygame
        self.drawing = drawing_of(arm, self.task)
        self.clock = pygame.time.Clock()
        self.canvas = pygame.Surface((FINE * WIDTH, FINE * HEIGHT))
        self._draw_background()
        self.background = self.canvas.copy()
        self.pointer: np.ndarray | None = None
        self._pressed = False

    def __reduce__(self) -> Any:
        return Renderer, (self.arm, self.mode, self.fps, self.task)

    def draw(self, state: Any, command: Any, path: Any, radius: float) -> np.ndarray | None:
        """Return one picture, (540, 720, 3) uint8; in 'human' mode show it and return None.

        state    (S,)    angles [rad], velocities [rad/s], activations [-]
        command  (K,)    of the task: a target is drawn as a disc, an orbit as a line with arrows
        path     (n, 2)  recent hand positions [m], the latest last
        radius           of a target's disc [m]
        """
        self.canvas.blit(self.background, (0, 0))
        track = self.task.track(np.asarray(command, dtype=float))
        if track is None:
            self._disc(command[:2], radius, TARGET, TARGET_EDGE)
        else:
            self._draw_orbit(track)
        self._draw_path(FINE * to_pixels(np.reshape(path, (-1, 2))))
        state = np.asarray(state, dtype=float)
        activations = state[self.task.body.activations]
        self._draw_body(self.drawing.pose(state, len(BELLY)), activations)
        for row, activation in enumerate(activations):
            self._bar(row, float(np.clip(activation, 0, 1)), activation_colour(activation))
        return self._show(self.pygame.transform.smoothscale(self.canvas, (WIDTH, HEIGHT)))

    def close(self) -> None:
        """Close the window, if there is one and no other renderer shows anything in it."""
        if self in self._showing:
            self._showing.discard(self)
            if not self._showing:
                self.pygame.display.quit()

    def _show(self, frame: Any) -> np.ndarray | None:
        if self.mode == "rgb_array":
            pixels = np.frombuffer(self.pygame.image.tobytes(frame, "RGB"), np.uint8)
            return pixels.reshape(HEIGHT, WIDTH, 3).copy()  # the caller's own, and writable
        self._window().blit(frame, (0, 0))
        self._read_mouse()
        self.clock.tick(self.fps)
        self.pygame.display.flip()
        return None

    def _read_mouse(self) -> None:
        pygame = self.pygame
        down, up = pygame.MOUSEBUTTONDOWN, pygame.MOUSEBUTTONUP
        if not self._pressed:
            self.pointer = None
        for event in pygame.event.get((down, up, pygame.MOUSEMOTION)):
            if event.type != pygame.MOUSEMOTION and event.button != pygame.BUTTON_LEFT:
                continue
            self._pressed |= event.type == down
            if self._pressed:
                self.pointer = to_metres(event.pos)
            self._pressed &= event.type != up

    def _window(self) -> Any:
        """Return the window, opened again if other code has closed it or changed its size."""
        display = self.pygame.display
        display.init()
        self._showing.add(self)
        window = display.get_surface()
        return (
            window
            if window and window.get_size() == (WIDTH, HEIGHT)
            else display.set_mode((WIDTH, HEIGHT))
        )

    def _draw_body(self, pose: Pose, activations: np.ndarray) -> None:
        for near, far in pairwise(pose.joints):
            self._ribbon(np.linspace(near, far, len(BONE_WIDTH)), BONE_WIDTH, BONE)
        for path, activation in zip(pose.muscles, activations, strict=False):
            width = 0.0025 + (0.0025 + 0.0035 * np.clip(activation, 0, 1)) * BELLY  # [m] half
            self._ribbon(path, width, activation_colour(activation))
        self._disc(pose.joints[-1], 0.013, HAND, PAPER)

    def _draw_orbit(self, track: np.ndarray) -> None:
        pixels = FINE * to_pixels(track)
        self.pygame.draw.lines(self.canvas, TARGET, True, pixels, FINE * 9)
        for centre in pixels:  # round joints
            self.pygame.draw.circle(self.canvas, TARGET, centre, FINE * 4.5)
        for i in range(0, len(track), max(1, len(track) // 6)):
            along = pixels[(i + 1) % len(pixels)] - pixels[i - 1]
            length = np.linalg.norm(along)
            if length > 0:  # a point has no direction
                along = FINE * 6 * along / length
                across = along[::-1] * (-1, 1)
                tip = pixels[i] + 1.4 * along
                self.pygame.draw.polygon(
                    self.canvas, TARGET_EDGE, [tip, pixels[i] + across, pixels[i] - across]
                )

    def _draw_path(self, pixels: np.ndarray) -> None:
        for i, (start, end) in enumerate(pairwise(pixels)):
            youth = (i + 1) / len(pixels)
            colour = _mix(WORKSPACE, HAND, 0.7 * youth)
            self.pygame.draw.line(self.canvas, colour, start, end, FINE * round(1 + 3 * youth))
            self.pygame.draw.circle(self.canvas, colour, end, FINE * (1 + 3 * youth) / 2)

    def _draw_background(self) -> None:
        """Draw everything that stays: the person, the workspace, the legend, the scale."""
        self.canvas.fill(PAPER)
        for kind, outline in self.drawing.backdrop():
            self._polygon(outline, BACKDROP[kind])
        self._text("activation, 0 to 1", BARS[0], BARS[1] - 20)
        for row, name in enumerate(self.task.body.muscles):
            self._text(name, BARS[0], BARS[1] + 16 * row - 1)
            self._bar(row, 1.0, TRACK)
        self._rectangle(INK, BARS[0], HEIGHT - 20, 0.1 * SCALE, 3)
        self._text("10 cm", BARS[0] + 9, HEIGHT - 36)

    def _bar(self, row: int, length: float, colour: Colour) -> None:
        self._rectangle(colour, BARS[0] + 26, BARS[1] + 16 * row, 84 * length, 10)

    def _rectangle(self, colour: Colour, *place: float) -> None:
        self.pygame.draw.rect(self.canvas, colour, [FINE * p for p in place])

    def _text(self, text: str, x: float, y: float) -> None:
        self.pygame.font.init()
        font = self.pygame.font.Font(None, FINE * 18)
        self.canvas.blit(font.render(text, True, INK), (FINE * x, FINE * y))

    def _polygon(self, points: np.ndarray, colour: Colour) -> None:
        self.pygame.draw.polygon(self.canvas, colour, FINE * to_pixels(points))

    def _disc(self, centre: Any, radius: float, fill: Colour, edge: Colour) -> None:
        """Draw a disc of ``radius`` [m] with an edge of 2 px inside it."""
        place = FINE * to_pixels(centre)
        pixels = FINE * SCALE * radius
        self.pygame.draw.circle(self.canvas, edge, place, pixels)
        self.pygame.draw.circle(self.canvas, fill, place, pixels - 2 * FINE)

    def _ribbon(self, path: np.ndarray, half: np.ndarray, colour: Colour) -> None:
        """Draw a line along path [m], (n, 2), of half width ``half`` [m], (n,).

        It has round ends and a dark edge.
        """
        along = np.gradient(path, axis=0)
        across = along[:, ::-1] * (-1, 1) / np.linalg.norm(along, axis=-1, keepdims=True)
        for extra, paint in ((1.2 / SCALE, _mix(colour, (0, 0, 0), 0.35)), (0.0, colour)):
            offset = across * (half + extra)[:, None]
            self._polygon(np.concatenate([path + offset, (path - offset)[::-1]]), paint)
            for end in (0, -1):
                radius = FINE * SCALE * (half[end] + extra)
                self.pygame.draw.circle(self.canvas, paint, FINE * to_pixels(path[end]), radius)
