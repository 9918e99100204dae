"""A JUnit report is data from outside: every test is told apart, and nothing else gets in."""

from __future__ import annotations

import pytest

from goal_engine.gates import junit
from goal_engine.gates.junit import BadReport, parse_junit
from goal_engine.proof.gate import TestOutcome as T

NESTED = b"""<?xml version="1.0" encoding="utf-8"?>
<testsuites><testcase name="loose"/>
<testsuite name="outer"><testcase classname="a.B" name="ok"/>
<testsuite name="inner"><testsuite name="deepest">
<testcase classname="a.B" name="bad"><failure message="no">trace</failure></testcase>
</testsuite></testsuite>
<testcase classname="a.B" name="broken"><error message="x"/></testcase>
<testcase classname="a.B" name="left out"><skipped type="pytest.xfail"/></testcase>
<testcase classname="a.B" name="both"><failure/><error/><system-out>x</system-out></testcase>
</testsuite></testsuites>"""


def suite(*cases: str) -> bytes:
    return f"<testsuite>{''.join(cases)}</testsuite>".encode()


def test_every_case_of_every_suite_has_its_outcome():
    assert parse_junit(NESTED) == {
        "loose": T.PASSED,
        "a.B::ok": T.PASSED,
        "a.B::bad": T.FAILED,
        "a.B::broken": T.ERROR,
        "a.B::left out": T.SKIPPED,
        "a.B::both": T.ERROR,
    }


def test_a_second_test_of_one_name_does_not_hide_the_first():
    twice = '<testcase classname="m" name="t"/>'
    red = '<testcase classname="m" name="t"><failure/></testcase>'
    taken = '<testcase classname="m" name="t#2"/>'
    assert parse_junit(suite(twice, red, twice)) == {
        "m::t": T.PASSED,
        "m::t#2": T.FAILED,
        "m::t#3": T.PASSED,
    }
    assert len(parse_junit(suite(twice, taken, red))) == 3


def test_a_collection_error_has_a_name_without_a_class():
    report = suite('<testcase classname="" name="tests.test_x"><error/></testcase>')
    assert parse_junit(report) == {"tests.test_x": T.ERROR}


def test_no_tests_is_an_empty_report():
    assert parse_junit(b"<testsuites/>") == {}


def test_text_that_speaks_of_a_document_type_is_only_text():
    page = "<testcase name='t'><system-out><![CDATA[<!DOCTYPE html>]]></system-out></testcase>"
    assert parse_junit(suite(page)) == {"t": T.PASSED}


BOMB = b'<!DOCTYPE x [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><testsuite name="&b;"/>'
BAD = {
    "entities": (BOMB, "document type"),
    "behind a comment": (b"<!-- x -->" * 20_000 + BOMB, "document type"),
    "in UTF-16": (BOMB.decode().encode("utf-16"), "document type"),
    "external": (b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><testsuite/>', "document type"),
    "empty": (b"", "no XML"),
    "no xml": (b"all tests passed", "no XML"),
    "cut off": (NESTED[:300], "no JUnit XML"),
    "something after it": (NESTED + b"<x/>", "no XML"),
    "another document": (b"<html/>", "no JUnit XML"),
    "bad bytes": (b"<testsuite name='\xff\xfe'/>", "XML"),
    "an unknown encoding": (b'<?xml version="1.0" encoding="utf-7"?><testsuite/>', "XML"),
    "endless suites": (b"<testsuite>" * 5_000 + b"</testsuite>" * 5_000, "no JUnit XML"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_report_is_refused(name):
    data, why = BAD[name]
    with pytest.raises(BadReport, match=why):
        parse_junit(data)


def test_a_report_that_is_too_large_is_not_parsed(monkeypatch):
    monkeypatch.setattr(junit, "LIMIT", 10)
    with pytest.raises(BadReport, match="larger"):
        parse_junit(NESTED)
