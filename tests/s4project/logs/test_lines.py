"""What the log looks like, what gets into it and what does not."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.s4project.probing import ROOT


def log(code: str, level: str = "info", form: str = "json") -> list[str]:
    """Run `code` with logging set up and return the lines it logged."""
    program = f"""if True:
        import logging
        import structlog
        from s4project import logs
        logs.configure({level!r}, {form!r})
        log = structlog.get_logger("probe")
        {code}
    """
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout == ""
    return run.stderr.splitlines()


@pytest.mark.parametrize("form", ["json", "auto"])
def test_a_line_is_one_json_object(form: str) -> None:
    """Where there is no terminal a line is JSON with time, level, logger, event and facts."""
    (line,) = log("log.info('It %s', 'rains', millimetres=3)", form=form)
    facts = json.loads(line)
    assert facts.pop("timestamp").endswith("Z")
    assert facts == {"event": "It rains", "level": "info", "logger": "probe", "millimetres": 3}


def test_lines_for_people_are_not_json() -> None:
    """The console form is asked for by name."""
    (line,) = log("log.info('It rains', millimetres=3)", form="console")
    assert "It rains" in line
    assert "millimetres=3" in line
    assert not line.startswith("{")


def test_the_standard_library_logs_the_same_way() -> None:
    """A library's line takes the same form, its exception included."""
    code = "logging.getLogger('lib').error('No %s', 'way', exc_info=ZeroDivisionError('zero'))"
    (line,) = log(code)
    facts = json.loads(line)
    assert (facts["event"], facts["logger"], facts["level"]) == ("No way", "lib", "error")
    assert "ZeroDivisionError" in facts["exception"]


@pytest.mark.parametrize(("level", "count"), [("debug", 4), ("warning", 2), ("error", 1)])
def test_the_level_is_a_threshold(level: str, count: int) -> None:
    """Lines below the level are not written."""
    assert len(log("[log.log(n, 'x') for n in (10, 20, 30, 40)]", level)) == count


@pytest.mark.parametrize(("level", "count"), [("info", 0), ("debug", 1)])
def test_the_servers_chatter_is_for_debugging(level: str, count: int) -> None:
    """Gunicorn's and uvicorn's news of every day are heard only when debugging."""
    assert len(log("logging.getLogger('uvicorn.error').info('Started')", level)) == count
    assert len(log("logging.getLogger('gunicorn.error').info('Booting')", level)) == count
    refused = "logging.getLogger('django.request').warning('Not Found: /x')"
    assert len(log(refused, level)) == count


def test_what_a_page_holds_is_not_logged() -> None:
    """Django's news of variables that a page lacks tell all that it has, and are never written."""
    assert log("logging.getLogger('django.template').debug('lacks x, has hush')", "debug") == []


def test_a_traceback_shows_no_values() -> None:
    """The traceback of an error holds lines of code, and not what its variables held."""
    code = (
        "secret = 'hu' + 'sh'\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n    log.exception('x')"
    )
    for form in ("json", "console"):
        text = "\n".join(log(code, form=form))
        assert "ZeroDivisionError" in text
        assert "hush" not in text


@pytest.mark.parametrize(
    "code",
    [
        "log.info('x', secret_key='hush')",
        "log.info('x', Password='hush')",
        "log.info('x', authorization='hush')",
        "log.info('GET /b/k?X-Amz-Signature=hush&X-Amz-Date=1')",
        "log.info('x', url='https://s4/b/k?a=b&X-Amz-Security-Token=hush')",
        "logging.getLogger('lib').error('GET /?Signature=hush HTTP/1.1')",
        "log.info('x', path='/b/k%3FX-Amz-Signature%3Dhush')",
        "log.info('x', result={'inner': {'new_password': 'hush'}})",
        "log.info('x', result=['token=hush', 1])",
        "log.info('x', error=ValueError('Authorization: AWS AKID:hush'))",
        "log.info('x', said='{\"password\": \"hush\"}')",
        "logging.getLogger('lib').error('was sent Bearer hush')",
    ],
)
@pytest.mark.parametrize("form", ["json", "console"])
def test_secrets_are_masked(code: str, form: str) -> None:
    """Neither a value under a telling name nor a signature in a URL gets into the log."""
    (line,) = log(code, form=form)
    assert "hush" not in line
    assert "[hidden]" in line


@pytest.mark.parametrize("form", ["json", "console"])
def test_nobody_writes_a_line_of_another(form: str) -> None:
    """Line ends, escapes and turns of direction in what is logged end no line and steer nothing."""
    evil = "".join(map(chr, [*range(32), *range(127, 160), 0x2028, 0x2029, 0x202E, 0xD800]))
    forged = evil + "\n2026-01-01T00:00:00Z [error    ] forged"
    code = f"""
        evil = {forged!r}
        log.info(evil, key=evil, many=[evil], inner={{evil: evil}}, error=ValueError(evil))
        logging.getLogger("lib").error("No %s", evil)
        try:
            raise ValueError(evil)
        except ValueError:
            log.exception("x", key=evil)
        import threading
        threading.Thread(target=lambda: [][len(evil)], name=evil).start()"""
    lines = log(code.replace("\n        ", "\n"), form=form)
    records = [line for line in lines if not line.startswith("    ")]
    assert len(records) == 4, lines
    assert all("[error    ] forged" not in line[:60] for line in records)
    assert all(line.isprintable() for line in lines)
    if form == "json":
        assert all(json.loads(line)["event"] for line in lines)


def test_a_line_bears_the_id_of_its_request() -> None:
    """What is logged while a request is answered says for which, from threads that know it, too."""
    code = """
        import asyncio
        from iam.audit.acting import request_id
        log.info("before")
        request_id.set("0F")
        log.info("during")
        logging.getLogger("lib").error("beside")
        asyncio.run(asyncio.to_thread(log.info, "elsewhere"))"""
    lines = map(json.loads, log(code.replace("\n        ", "\n")))
    told = [(line["event"], line.get("request_id")) for line in lines]
    assert told == [("before", None), ("during", "0F"), ("beside", "0F"), ("elsewhere", "0F")]


def test_python_says_its_own_in_lines_too() -> None:
    """Warnings, and what ends a process, are lines like all others."""
    program = (
        "import warnings; from s4project import logs; logs.configure('info', 'json');"
        "warnings.warn('hot'); 1 / 0"
    )
    lines = subprocess.run(
        [sys.executable, *("-W", "default", "-c"), program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stderr.splitlines()
    warning, end = map(json.loads, lines)
    assert "hot" in warning["event"]
    assert end["event"] == "The process ends"
    assert "ZeroDivisionError" in end["exception"]


@pytest.mark.parametrize("value", ["'x'", "Odd()"])
def test_a_line_that_cannot_be_made_hurts_nobody(value: str) -> None:
    """Words that do not fit their values say where they stand, and the program goes on."""
    code = f"""
        class Odd:
            def __str__(self):
                raise RuntimeError("hush")
        logging.getLogger("lib").info("%d of it", {value})
        log.info("On")"""
    odd, on = map(json.loads, log(code))
    assert (odd["logger"], odd["level"]) == ("lib", "error")
    assert odd["event"].startswith("What was to be logged could not be made a line: <string>, ")
    assert on["event"] == "On"


def test_who_a_url_names_is_masked() -> None:
    """A password inside a URL is hidden, an address with a port is none."""
    code = "log.info('x', a='postgresql://s4:hush@db/s4', b='http://127.0.0.1:9000/a@b')"
    (line,) = map(json.loads, log(code))
    assert (line["a"], line["b"]) == ("postgresql://s4:[hidden]", "http://127.0.0.1:9000/a@b")
