"""Numbers that states give: known right ones are found, those with one digit changed are not."""

import pytest

from interlock.detectors import detectors
from interlock.detectors.personal_data.national import NATIONAL

DETECTOR = detectors()["personal-data"]
# Published examples of each country's form, or made with its rule.
RIGHT = {
    "se_personnummer": "811218-9876",
    "fi_hetu": "131052-308T",
    "no_fnr": "Fødselsnummer: 15108695088",
    "dk_cpr": "CPR 211062-5629",
    "be_rrn": "85.07.30-033.28",
    "ch_ahv": "756.9217.0769.85",
    "at_svnr": "SVNR 1237 010180",
    "cz_rc": "710319/2745",
    "pt_nif": "contribuinte 123 456 789",
    "ie_pps": "PPS 1234567TW",
    "ro_cnp": "CNP 1630615123457",
    "bg_egn": "EGN 7523169263",
    "hr_oib": "OIB 33392005961",
    "ee_lt_code": "isikukood 37605030299",
    "tr_tckn": "TCKN 17291716060",
    "il_id": "teudat zehut 039337423",
    "za_id": "RSA 7503305044089",
    "kr_rrn": "971013-1019901",
    "jp_my_number": "MyNumber 6214 9832 0257",
    "tw_id": "A123456789",
    "hk_id": "A123456(3)",
    "sg_nric": "S1234567D",
    "th_id": "3-1006-00445-63-5",
    "mx_curp": "BOXW310820HNERXN09",
    "ar_cuil": "20-26756539-3",
    "cl_rut": "12.531.909-2",
    "ca_sin": "SIN 123-456-782",
    "au_tfn": "TFN 123 456 782",
    "nz_ird": "IRD 49-091-850",
    "ru_snils": "112-233-445 95",
    "gr_amka": "AMKA 01013099997",
    "in_pan": "PAN ACUPA7085R",
    "passport": "passport no. X1234567",
    "medical_record": "MRN: 00482913",
}
UNCHECKED = {"in_pan", "passport", "medical_record", "dk_cpr", "kr_rrn", "at_svnr"}


def rules(text: str) -> set[str]:
    return {signal.rule for signal in DETECTOR.detect(text)}


@pytest.mark.parametrize("rule", RIGHT)
def test_a_right_number_is_found(rule: str) -> None:
    assert rule in rules(f"Dear all, {RIGHT[rule]} is the one.")


@pytest.mark.parametrize("rule", sorted(RIGHT.keys() - UNCHECKED))
def test_a_number_with_another_digit_is_not(rule: str) -> None:
    text = RIGHT[rule]
    place = max(n for n, c in enumerate(text[:-1]) if c.isdigit())
    wrong = [text[:place] + digit + text[place + 1 :] for digit in "0123456789" if digit != text[place]]
    found = [one for one in wrong if rule in rules(one)]
    assert len(found) <= 1, found


def test_every_form_is_tried() -> None:
    assert {national.rule for national in NATIONAL} == RIGHT.keys()


@pytest.mark.parametrize(
    "text",
    [
        "Order 1630615123457 of 2024, batch 7523169263",
        "call passport control at gate 123456789012",
        "version 756.1.2.3, 811218-9875 and A123456788",
        "the pan 12345 is hot; passport to Pimlico 1949",
        "rows 1234567 to 7654321, ticket 12345678901",
    ],
)
def test_numbers_of_things_are_not(text: str) -> None:
    assert rules(text) == set()
