"""Containers, manifests, stowage, dangerous goods, cold boxes."""

import pytest

from candidate.cargo import dangerous, reefer, stowage
from harbour.cargo import Container, Manifest, check_digit


def box(serial: int, **facts) -> Container:
    code = f"HVNU{serial:06}"
    return Container(f"{code}{check_digit(code)}", **facts)


def test_check_digit_of_the_standard():
    assert check_digit("CSQU305438") == 3
    with pytest.raises(ValueError, match="wrong check digit"):
        Container("CSQU3054384")
    with pytest.raises(ValueError, match="four letters"):
        check_digit("CSQU")


def test_manifest_adds_up():
    manifest = Manifest([box(1, load=20_000, contents="080390"), box(2, feet=20, tare=2_200)])
    assert len(manifest) == 2
    assert manifest.gross == 26_000
    assert manifest.teu == 3
    assert manifest.by_contents() == {"080390": 20_000, "empty": 0}
    with pytest.raises(ValueError, match="already"):
        manifest.add(box(1))


def test_heavy_boxes_stand_at_the_bottom():
    stacks = stowage.stow(
        [box(serial, load=load) for serial, load in enumerate((1000, 9000, 5000))]
    )
    assert [[b.load for b in stack.boxes] for stack in stacks] == [[9000, 5000, 1000]]


def test_a_stack_keeps_its_limit():
    stacks = stowage.stow([box(serial, load=20_000) for serial in range(5)], limit=50_000)
    assert [len(stack.boxes) for stack in stacks] == [2, 2, 1]
    with pytest.raises(ValueError, match="exceed"):
        stowage.stow([box(1, load=20_000)], limit=10_000)


def test_dangerous_goods_are_separated():
    assert dangerous.separation("3", "2.1") is dangerous.Separation.SEPARATED
    assert dangerous.strictest(["3", "1.1", "8"]) is dangerous.Separation.ANOTHER_HOLD
    assert dangerous.strictest(["9"]) is dangerous.Separation.NONE


def test_cold_boxes_need_plugs():
    frozen = reefer.Reefer(box(1, load=20_000), set_point=-18)
    assert frozen.power(ambient=22) == pytest.approx(1.05)
    assert frozen.power(ambient=-20) == 0
    assert reefer.plugs([frozen, frozen], ambient=22) == (1, 2.1)
