"""The rules of this gate, and the smallest cure for each."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_cockpit.api import Rule

NEW_FILE = "guard.new-file"
RENAMED_IN = "guard.renamed-in"
COPIED_IN = "guard.copied-in"
MOVED_WITHIN = "guard.moved-within"
RESURRECTED = "guard.resurrected"
CASE_VARIANT = "guard.case-variant"
LINK_IN_LANE = "guard.link-in-lane"
LINK_INTO_LANE = "guard.link-into-lane"
SUBMODULE = "guard.submodule"

RULES = (
    Rule(NEW_FILE, "No file is added to the lane, whatever its suffix."),
    Rule(RENAMED_IN, "No file of production is moved into the lane."),
    Rule(COPIED_IN, "No file is copied into the lane."),
    Rule(MOVED_WITHIN, "No file of the lane is moved to another place of the lane."),
    Rule(RESURRECTED, "What was promoted does not come back at its old path."),
    Rule(CASE_VARIANT, "No file is added to a folder that some file systems take for the lane."),
    Rule(LINK_IN_LANE, "No symbolic link is added or changed in the lane, or stands in its place."),
    Rule(LINK_INTO_LANE, "No symbolic link outside the lane leads into it."),
    Rule(SUBMODULE, "No submodule is added or changed in the lane, or stands in its place."),
)

REMEDY: Mapping[str, str] = {
    NEW_FILE: "put it where it shall stay, outside {lane}; to let it in: cockpit waive "
    "guard.new-file --file …",
    RENAMED_IN: "leave it where it was",
    COPIED_IN: "import the file it was copied from",
    MOVED_WITHIN: "leave it where it was, or promote it",
    RESURRECTED: "change the promoted file; to undo a batch, use --cockpit-rollback",
    CASE_VARIANT: "give the folder a name that is not {lane} in other letters",
    LINK_IN_LANE: "remove the link",
    LINK_INTO_LANE: "let it lead to the promoted file, or remove it",
    SUBMODULE: "put it outside {lane}",
}
