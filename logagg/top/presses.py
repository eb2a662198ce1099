"""The effect of a key: it types a character, chooses from a menu, or starts an action."""

from __future__ import annotations

from logagg.top.actions import Actions
from logagg.top.dialogs import Dialog
from logagg.top.keys import BY_KEY
from logagg.top.state import State

MOST = 8_192  # characters that the user can type or paste into a line
_CLOSES = ("escape", "q", "backspace", "?", "f1", "f10")
_MOVES = {"row", "page"}


def pressed(state: State, actions: Actions, key: str, text: str = "") -> None:
    """Do what a key means; `text` is its character, or the pasted text."""
    state.message = ""
    if key == "ctrl+c":
        actions.do("quit")
    elif state.prompt:
        _type(state, key, text)
    elif state.dialog:
        _in_dialog(state, state.dialog, actions, key)
    elif found := BY_KEY.get(key):
        actions.do(found.action, found.argument)


def _type(state: State, key: str, text: str) -> None:
    prompt, text = state.prompt, text.replace("\0", "")
    assert prompt
    if key in ("enter", "escape"):
        state.prompt = None
        prompt.done(prompt.text if key == "enter" else None)
        return
    state.prompt = prompt.typed(text[: MOST - len(prompt.text)]) if text else prompt.edited(key)
    if state.prompt.text != prompt.text:
        prompt.change(state.prompt.text)


def _in_dialog(state: State, dialog: Dialog, actions: Actions, key: str) -> None:
    chosen = next((place for place, one in enumerate(dialog.choices) if one.key == key), None)
    moves = BY_KEY.get(key)
    if chosen is not None:
        actions.do("choose", chosen)
    elif key == "enter":
        actions.do("choose", dialog.cursor) if dialog.choices else actions.do("close")
    elif key in _CLOSES:
        actions.do("close")
    elif key == "y":
        actions.do("sql")
    elif moves and moves.action in _MOVES:
        rows = moves.argument * (max(1, state.body - 4) if moves.action == "page" else 1)
        state.dialog = dialog.moved(rows, state.body)
