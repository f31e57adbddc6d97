"""Simple players that need no network."""

import os
import signal
import sys
import threading

import numpy as np

from bb_sim import NUM_ACTIONS
from eval.matches.players import AgentPlayer, PolicyPlayer


def legal_actions_of(observations):
    """bool [B, 33] from the mask in bytes 14 to 18 of observations uint8 [B, 19]."""
    bits = np.unpackbits(observations[:, 14:19], axis=1, bitorder="little")
    return bits[:, :NUM_ACTIONS].astype(bool)


def highest_legal(observations):
    return NUM_ACTIONS - 1 - legal_actions_of(observations)[:, ::-1].argmax(axis=1)


def lowest_legal(observations):
    return legal_actions_of(observations).argmax(axis=1)


def uniform_legal(observations, uniforms):
    counts = legal_actions_of(observations).cumsum(axis=1)
    return (counts > (uniforms * counts[:, -1])[:, None]).argmax(axis=1)


def highest():
    return PolicyPlayer("highest", highest_legal)


def lowest():
    return PolicyPlayer("lowest", lowest_legal)


def uniform():
    return PolicyPlayer("uniform", uniform_legal, samples=True)


class FirstAgent:
    """Plays the first legal action and remembers what it saw."""

    def __init__(self):
        self.seen = []

    def select_action(self, state, legal_actions):
        self.seen.append(state)
        return legal_actions[0]


class SeeingAgent(FirstAgent):
    sees_all = True


class ForeignAgent:
    def select_action(self, state, legal_actions):
        return "lion"


class NoneAgent:
    def select_action(self, state, legal_actions):
        return None


class FailingAgent:
    def select_action(self, state, legal_actions):
        raise ZeroDivisionError("nothing to divide by")


class InterruptingAgent(FirstAgent):
    """Is interrupted, as by Ctrl-C, when it has decided so many times; never if None."""

    patience: int | None = None

    def select_action(self, state, legal_actions):
        if self.patience is not None and len(self.seen) >= self.patience:
            raise KeyboardInterrupt
        return super().select_action(state, legal_actions)


class ExitingAgent:
    def select_action(self, state, legal_actions):
        sys.exit(3)


class Leave(BaseException):
    """Neither an error nor an interrupt."""


class LeavingAgent:
    def select_action(self, state, legal_actions):
        raise Leave


class SwallowingAgent(FirstAgent):
    """Is interrupted once while an object is taken apart, where Python drops the exception."""

    def select_action(self, state, legal_actions):
        if not self.seen:
            _Interrupting()
        return super().select_action(state, legal_actions)


class _Interrupting:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)


class ThreadAgent(FirstAgent):
    """Leaves a thread behind that never ends."""

    def __init__(self):
        super().__init__()
        threading.Thread(target=threading.Event().wait).start()


class NeedyAgent:
    def __init__(self, argument):
        pass


class NoAgent:
    pass


def agent(kind):
    return AgentPlayer(kind.__name__, kind())
