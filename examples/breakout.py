"""A game of bricks on ten by ten cells, as an environment of Gymnasium; it is small enough to read and to learn in minutes.

After the idea of MinAtar (Young and Tian, 2019, https://arxiv.org/abs/1903.03176): what is on the screen comes apart in channels, and
now and then a button sticks. The rules are this file's own.
"""

from __future__ import annotations

import gymnasium
import numpy as np

__all__ = ["ACTIONS", "CHANNELS", "SIZE", "Breakout", "draw_frame"]

SIZE = 10
CHANNELS = ("paddle", "ball", "trail", "bricks")
ACTIONS = ("stay", "left", "right")
STICKY = 0.1  # how often the last action is done again, whatever the player asked for
FEW = 5  # bricks that are left when the wall is built again
LONGEST = 1000  # steps after which a game is cut
COLORS = ("#8a4b1f", "#2f6f73", "#b9d0d1", "#d9a066")  # of the channels


class Breakout(gymnasium.Env):
    """Keep the ball in play and break bricks, one point each.

    A state is ``(4, 10, 10)``, 1 where something is: paddle, ball, where the ball was, bricks. The paddle has two cells; its left one
    sends the ball to the left and its right one to the right. Three rows of bricks come again when few are left. A ball that gets past
    the paddle ends the game.
    """

    observation_space = gymnasium.spaces.Box(0, 1, (len(CHANNELS), SIZE, SIZE), np.uint8)
    action_space = gymnasium.spaces.Discrete(len(ACTIONS))

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.bricks = self._wall()
        self.paddle = SIZE // 2 - 1
        self.x, self.y = int(self.np_random.integers(SIZE)), 4
        self.dx, self.dy = (1 if self.np_random.random() < 0.5 else -1), 1
        self.before = self.x, self.y
        self.last, self.steps = 0, 0
        return self._state(), {}

    def step(self, action):
        """Move the paddle, then the ball: ``(state, reward, ended, cut, {})``."""
        if self.np_random.random() >= STICKY:
            self.last = int(action)
        self.paddle = min(max(self.paddle + (0, -1, 1)[self.last], 0), SIZE - 2)
        self.before = self.x, self.y
        self.steps += 1
        if not 0 <= self.x + self.dx < SIZE:
            self.dx = -self.dx
        if self.y + self.dy < 0:
            self.dy = 1
        x, y = self.x + self.dx, self.y + self.dy
        reward, ended = 0.0, False
        if self.bricks[y, x]:
            self.bricks[y, x], self.dy, reward = 0, -self.dy, 1.0
            y = self.y  # it bounces off and stays in its row
        elif y == SIZE - 1:
            ended = not self.paddle <= x <= self.paddle + 1
            if not ended:
                self.dx, self.dy, y = (-1 if x == self.paddle else 1), -1, self.y
        if self.bricks.sum() <= FEW and y > 3:  # a new wall comes when the ball is below it
            self.bricks = self._wall()
        self.x, self.y = x, y
        return self._state(), reward, ended, self.steps >= LONGEST and not ended, {}

    @staticmethod
    def _wall():
        bricks = np.zeros((SIZE, SIZE), np.uint8)
        bricks[1:4] = 1
        return bricks

    def _state(self):
        state = np.zeros(self.observation_space.shape, np.uint8)
        state[0, SIZE - 1, self.paddle : self.paddle + 2] = 1
        state[1, self.y, self.x] = 1
        state[2, self.before[1], self.before[0]] = 1
        state[3] = self.bricks
        return state


def draw_frame(state, note="", cell=24):
    """A state as a picture: a rounded cell for everything that is there, and a line of text below."""
    from PIL import Image, ImageDraw, ImageFont

    k, side = 3, SIZE * cell  # drawn at three times its size
    image = Image.new("RGB", (side * k, (side + 28) * k), "#fffdf9")
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 0, side * k, side * k), fill="#f3ebe0")
    for channel in (3, 2, 0, 1):  # the ball lies above all
        for y, x in np.argwhere(state[channel]):
            corner = (x * cell + 1) * k, (y * cell + 1) * k
            box = (*corner, corner[0] + (cell - 2) * k, corner[1] + (cell - 2) * k)
            pen.rounded_rectangle(box, (cell // 2 if channel in (1, 2) else 4) * k, fill=COLORS[channel])
    pen.text((6 * k, (side + 6) * k), note, fill="#6b5a49", font=ImageFont.load_default(13 * k))
    return image.resize((side, side + 28), Image.Resampling.LANCZOS)
