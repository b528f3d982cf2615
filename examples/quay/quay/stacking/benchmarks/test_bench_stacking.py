from quay.stacking import stow


def test_stow_a_ship(benchmark):
    days = [(37 * number) % 101 for number in range(120)]
    assert sum(map(len, benchmark(stow, 30, days))) == 120
