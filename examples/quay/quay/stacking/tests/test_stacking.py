from quay.stacking import HEIGHT, digs, place, stow


def test_what_leaves_later_lies_below():
    assert stow(1, [9, 7, 5]) == [[9, 7, 5]]
    assert digs([[9, 7, 5]]) == 0


def test_a_second_stack_saves_a_dig():
    assert digs(stow(1, [5, 9])) == 1
    assert digs(stow(2, [5, 9])) == 0


def test_a_full_yard_takes_nothing():
    assert place([[1] * HEIGHT], 1) is None
