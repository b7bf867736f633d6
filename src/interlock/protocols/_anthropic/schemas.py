"""The tools that Anthropic defines and the client runs: a request names only their type, so their schemas are here.

Source: Anthropic's tool use documentation, and the input types of `anthropic` 2.13.
"""

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

Schema: TypeAlias = Mapping[str, object]


class BuiltIn(NamedTuple):
    """A tool that a request offers by its type alone."""

    name: str
    description: str
    schema: Schema


_TYPES: Mapping[str, Schema] = {
    "text": {"type": "string"},
    "texts": {"type": "array", "items": {"type": "string"}},
    "number": {"type": "number"},
    "numbers": {"type": "array", "items": {"type": "integer"}},
    "switch": {"type": "boolean"},
    "any": {},
    "target": {"type": "object", "properties": {name: {} for name in ("type", "x", "y", "ref")}},
}


def _schema(*arguments: str) -> Schema:
    """The schema of an object; each argument is written `name:type`, with a star if it must be there."""
    pairs = [argument.split(":") for argument in arguments]
    return {
        "type": "object",
        "properties": {name: _TYPES[kind.removesuffix("*")] for name, kind in pairs},
        "required": [name for name, kind in pairs if kind.endswith("*")],
    }


_BASH = BuiltIn("bash", "Runs a command in a shell that stays open.", _schema("command:text", "restart:switch"))
_EDITOR = (
    "Views, creates and edits text files.",
    _schema(
        "command:text*", "path:text*", "file_text:text", "old_str:text", "new_str:text", "insert_line:number",
        "insert_text:text", "view_range:numbers",
    ),
)  # fmt: skip
_COMPUTER = BuiltIn(
    "computer",
    "Uses a computer by its screen, mouse and keyboard.",
    _schema(
        "action:text*", "coordinate:numbers", "start_coordinate:numbers", "text:text", "key:text", "duration:number",
        "repeat:number", "scroll_direction:text", "scroll_amount:number", "region:numbers",
    ),
)  # fmt: skip
_MEMORY = BuiltIn(
    "memory",
    "Views, creates, edits, renames and deletes files of the memory directory.",
    _schema(
        "command:text*", "path:text", "file_text:text", "old_str:text", "new_str:text", "insert_line:number",
        "insert_text:text", "view_range:numbers", "old_path:text", "new_path:text",
    ),
)  # fmt: skip

BUILT_IN: Mapping[str, BuiltIn] = {
    "bash_20241022": _BASH,
    "bash_20250124": _BASH,
    "text_editor_20241022": BuiltIn("str_replace_editor", *_EDITOR),
    "text_editor_20250124": BuiltIn("str_replace_editor", *_EDITOR),
    "text_editor_20250429": BuiltIn("str_replace_based_edit_tool", *_EDITOR),
    "text_editor_20250728": BuiltIn("str_replace_based_edit_tool", *_EDITOR),
    "computer_20241022": _COMPUTER,
    "computer_20250124": _COMPUTER,
    "computer_20251124": _COMPUTER,
    "memory_20250818": _MEMORY,
}

_CLICK = _schema("coordinate:numbers", "text:text")
_NOTHING = _schema()
_COMPUTER_MEMBERS: Mapping[str, tuple[str, Schema]] = {
    "key": ("Presses a key or a combination of keys.", _schema("text:text*", "repeat:number")),
    "hold_key": ("Holds a key down for some seconds.", _schema("text:text*", "duration:number*")),
    "type": ("Types a text.", _schema("text:text*")),
    "cursor_position": ("Says where the cursor is.", _NOTHING),
    "mouse_move": ("Moves the cursor.", _schema("coordinate:numbers*")),
    "left_mouse_down": ("Presses the left button.", _NOTHING),
    "left_mouse_up": ("Releases the left button.", _NOTHING),
    "left_click": ("Clicks with the left button.", _CLICK),
    "left_click_drag": (
        "Drags with the left button.",
        _schema("start_coordinate:numbers*", "coordinate:numbers*", "text:text"),
    ),
    "right_click": ("Clicks with the right button.", _CLICK),
    "middle_click": ("Clicks with the middle button.", _CLICK),
    "double_click": ("Clicks twice.", _CLICK),
    "triple_click": ("Clicks three times.", _CLICK),
    "scroll": (
        "Scrolls the screen.",
        _schema("scroll_direction:text*", "scroll_amount:number*", "coordinate:numbers", "text:text"),
    ),
    "wait": ("Waits for some seconds.", _schema("duration:number*")),
    "screenshot": ("Shows the screen.", _NOTHING),
    "zoom": ("Shows a part of the screen.", _schema("region:numbers*")),
}
_TAB = "tab_id:text"
_AT = _schema("target:target*", "modifiers:text", _TAB)
_POINT = _schema("target:target*", _TAB)
_PAGE = _schema(_TAB)
_BROWSER_MEMBERS: Mapping[str, tuple[str, Schema]] = {
    "navigate": ("Goes to a URL, or back, forward, or loads the page again.", _schema("url:text*", _TAB)),
    "list_tabs": ("Lists the open tabs with their titles and URLs.", _NOTHING),
    "new_tab": ("Opens an empty tab.", _NOTHING),
    "switch_tab": ("Makes a tab the active one.", _schema("tab_id:text*")),
    "close_tab": ("Closes a tab.", _schema("tab_id:text*")),
    "read_page": ("Reads the page's elements.", _schema("depth:number", "filter:text", "ref:text", _TAB)),
    "get_page_text": ("Reads the page's text.", _PAGE),
    "read_console": ("Reads what the page wrote to the console.", _PAGE),
    "read_network": ("Reads which requests the page made.", _PAGE),
    "find": ("Finds elements by a description.", _schema("query:text*", _TAB)),
    "form_input": ("Sets the value of a form's element.", _schema("target:target*", "value:any*", _TAB)),
    "file_upload": (
        "Gives files to a form's element.",
        _schema("target:target*", "paths:texts", "document_ids:texts", _TAB),
    ),
    "scroll_to": ("Scrolls to an element.", _POINT),
    "screenshot": ("Shows the page.", _PAGE),
    "zoom": ("Shows a part of the page.", _schema("region:numbers*", _TAB)),
    "left_click": ("Clicks with the left button.", _AT),
    "right_click": ("Clicks with the right button.", _AT),
    "middle_click": ("Clicks with the middle button.", _AT),
    "double_click": ("Clicks twice.", _AT),
    "triple_click": ("Clicks three times.", _AT),
    "hover": ("Moves the cursor over something.", _POINT),
    "left_click_drag": ("Drags with the left button.", _schema("from:target*", "target:target*", _TAB)),
    "left_mouse_down": ("Presses the left button.", _POINT),
    "left_mouse_up": ("Releases the left button.", _POINT),
    "mouse_move": ("Moves the cursor.", _POINT),
    "scroll": ("Scrolls the page.", _schema("target:target*", "scroll_direction:text*", "scroll_amount:number", _TAB)),
    "type": ("Types a text.", _schema("text:text*", _TAB)),
    "key": ("Presses a key or a combination of keys.", _schema("text:text*", "repeat:number", _TAB)),
    "hold_key": ("Holds a key down for some seconds.", _schema("text:text*", "duration:number*", _TAB)),
    "wait": ("Waits for some seconds.", _schema("duration:number*", _TAB)),
    "javascript_exec": ("Executes a script in the page.", _schema("text:text*", _TAB)),
}
# The name that the calls of a toolset's members carry, and the members.
TOOLSETS: Mapping[str, tuple[str, Mapping[str, tuple[str, Schema]]]] = {
    "computer_toolset_20260801": ("computer", _COMPUTER_MEMBERS),
    "browser_toolset_20260801": ("browser", _BROWSER_MEMBERS),
}
