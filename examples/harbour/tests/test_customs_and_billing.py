"""Duty, declarations, dues, invoices, wharfage."""

import pytest

from candidate import wharfage
from candidate.customs import Code, Declaration, Line, duty_on
from candidate.customs.duty import rate
from harbour.billing import Invoice, bill, harbour_dues
from harbour.billing.tariff import frequent_caller
from harbour.cargo import Container, Manifest


@pytest.fixture
def bananas() -> Manifest:
    return Manifest([Container("CSQU3054383", load=21_000, contents="080390")])


def test_codes_are_read_and_written():
    code = Code.parse("0803.90")
    assert str(code) == "0803.90"
    assert (code.chapter, code.heading) == ("08", "0803")
    for wrong in ("0803", "98.0000", "08o390"):
        with pytest.raises(ValueError, match=r"code|chapter"):
            Code.parse(wrong)


def test_the_longest_prefix_decides():
    assert rate(Code.parse("080390")) == "16.0"
    assert rate(Code.parse("080410")) == "8.8"
    assert rate(Code.parse("440710")) == "4.2"
    assert duty_on("080390", 100_00) == 16_00
    with pytest.raises(ValueError, match="negative"):
        duty_on("080390", -1)


def test_a_declaration_is_held_against_the_manifest(bananas):
    declared = Declaration((Line("080390", 20_000, 9_000_00), Line("640399", 500, 4_000_00)))
    assert declared.duty() == 1_440_00 + 680_00
    assert declared.freight(2050) == {"0803.90": 2000, "6403.99": 50}
    assert declared.differences(bananas) == {"080390": 1_000, "640399": -500}


def test_every_bracket_is_charged_for_its_own_tons(trawler, feeder):
    assert harbour_dues(trawler) == 420 * 14
    assert harbour_dues(feeder) == 5_000 * 14 + 4_981 * 11
    assert frequent_caller(1000, 11) == 960
    assert frequent_caller(1000, 500) == 800


def test_an_invoice_lists_what_costs_something(feeder, bananas):
    invoice = bill(feeder, bananas, {"080390": 1_000_00})
    assert invoice.lines == [("Harbour dues", 124_791), ("Duty on 080390", 16_000)]
    assert str(invoice).splitlines()[-1].split() == ["Total", "1,407.91"]
    assert Invoice(feeder).total == 0


def test_goods_pay_for_the_quay(bananas, capsys):
    assert wharfage.wharfage(bananas) == 25 * 310
    assert wharfage.wharfage(bananas, days=5) == 25 * 310 + 2 * 2 * 1_250
    assert wharfage.main(["7"]) == 0
    assert capsys.readouterr().out == "21.70\n"
