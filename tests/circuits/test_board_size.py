"""A program whose users invent names of models does not grow without bound."""

from breaker_lab import Lab


def test_a_board_keeps_a_thousand_circuits_and_the_others_work_unkept():
    lab = Lab()
    for number in range(1_100):
        lab.board.breaker(f"invented-{number}")
    late = lab.board.breaker("invented-1099")
    assert len(lab.board.breakers()) == 1_000
    assert late.admit().state == "closed"
    assert lab.board.breaker("invented-0") is lab.board.breaker("invented-0")
