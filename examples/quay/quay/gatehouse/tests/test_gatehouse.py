from quay.gatehouse import admits, next_free


def test_a_full_slot_admits_nobody():
    assert admits({2: 3}, 75, limit=4)
    assert not admits({2: 4}, 75, limit=4)


def test_a_truck_that_is_too_early_waits_for_the_next_slot():
    assert next_free({2: 4}, 75, limit=4) == 90
