import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from w2sg.records import ItemScore
from w2sg.report.arms import ArmResult, RunMeta
from w2sg.report.collect import collect
from w2sg.report.examples import ItemExample, MethodAnswer, choose_items, load_examples, save_examples
from w2sg.report.page import render, write_page

EVIL = "</style></pre><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7 * 7 }}"


@pytest.fixture(scope="module")
def examples(results):
    answer = MethodAnswer("imitation", 0, f"He says {EVIL}", "7", True)
    unread = MethodAnswer("teacher", 0, "word " * 300 + "x" * 500, None, False)
    return [
        ItemExample(task, f"{task}-001", "ood", f"How many? {EVIL}", EVIL, (unread, answer), ("a", EVIL), 4.0, "why")
        for task in results.tasks()
    ]


@pytest.fixture(scope="module")
def page(results, examples):
    return render(results, examples)


class Tags(HTMLParser):
    """Every tag with its attributes; and whether tags that must be closed are."""

    VOID = frozenset(["meta", "link", "br", "img", "input", "hr", "path", "use"])

    def __init__(self, text):
        super().__init__()
        self.found, self.open = [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_nothing_runs_and_nothing_is_loaded(page):
    for tag, attributes in Tags(page).found:
        assert tag not in ("script", "iframe", "object", "img", "base")
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("src", "href", "xlink:href"):
                assert value.startswith("#") or value == "data:,"
    assert not re.search(r"url\((?!#)|@import", page)


def test_model_texts_are_shown_not_obeyed(page):
    assert "<script" not in page
    assert page.count("</style>") == 1
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "{{ 7 * 7 }}" in page


def test_hostile_names(meta):
    """Names reach plots, anchors and tables; dollar signs are no mathematics."""
    scores = [ItemScore(f"q{n}", "", n > 1, True, "a", float(n)) for n in range(4)]
    arms = [ArmResult(EVIL, name, 0, scores, steps=(EVIL,)) for name in (EVIL, "$x_1$", "untuned", "a b")]
    arms.append(ArmResult(EVIL, "own control", 0, scores, control=True))
    text = render(collect(arms, RunMeta(EVIL, EVIL, "0", settings={EVIL: EVIL}), resamples=20))
    assert "<script" not in text
    assert "$x_1$" in text
    Tags(text)


def test_links_lead_somewhere_and_ids_are_unique(page):
    tags = Tags(page).found
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {value[1:] for _, a in tags for name, value in a.items() if name.endswith("href") and value[0] == "#"}
    targets |= set(re.findall(r"url\(#([^)]+)\)", page))
    assert targets <= set(ids)


def test_every_number_of_the_table_is_there(results, page):
    for row in results.summary:
        assert f"{100 * row.accuracy:.1f}" in page
    for one in results.verdict:
        assert one.sentence.replace("'", "&#39;") in page
    for note in results.notes:
        assert note.text.replace("'", "&#39;") in page
    for step in results.provenance:
        assert f'id="step-{step.fingerprint}"' in page


def test_the_confidence_of_labels_is_there_before_and_after_calibration(results, page):
    assert {row.stage for row in results.reliability} == {"stated", "calibrated"}
    for row in results.reliability:
        for one in (row.error, row.brier, row.auroc, row.area):
            assert f'{100 * one.value:.1f} <span class="quiet">[{100 * one.low:.1f}–{100 * one.high:.1f}]' in page
    assert page.count('aria-label="Risk and coverage of the weak labels on') == len(results.tasks())


def test_deterministic(results, examples, page):
    assert render(results, examples) == page


def test_without_methods_or_anything_optional():
    score = ItemScore("q", "", True, True, "a")
    text = render(collect([ArmResult("t", "teacher", 0, [score])], RunMeta("n", "c", "0"), resamples=10))
    Tags(text)
    assert "Verdict" not in text
    assert "nan" not in text.lower().replace("provenance", "")


def test_examples_are_read_from_beside_the_page(results, examples, tmp_path):
    assert load_examples(tmp_path) == []
    save_examples(examples, tmp_path)
    assert load_examples(tmp_path) == examples
    write_page(results, tmp_path / "report.html")
    assert "He says &lt;/style&gt;" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_chosen_items_show_what_they_say(arms):
    chosen = choose_items(arms, "world-maths", 8)
    assert len(chosen) == 8
    first = {a.method: {s.id: s for s in a.scores} for a in reversed(arms) if a.task == "world-maths"}
    for id, why in chosen.items():
        if match := re.fullmatch(r"the teacher is wrong and (\S+) is right", why):
            assert not first["teacher"][id].correct
            assert first[match[1]][id].correct
    assert len(set(chosen.values())) > 2
    assert choose_items(arms, "no such task") == {}
    assert choose_items(list(reversed(arms)), "world-maths", 3).keys() <= first["teacher"].keys()


# The pipe's ends must be the file descriptors 3 and 4 of the browser.
AS_3_AND_4 = """
import fcntl, os, sys
for number, end in ((3, sys.argv[1]), (4, sys.argv[2])):
    globals()[f"end{number}"] = fcntl.fcntl(int(end), fcntl.F_DUPFD, 10)
os.dup2(end3, 3)
os.dup2(end4, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Browser:
    """A headless Chromium driven through its debugging pipe."""

    def __init__(self, program, folder):
        read, self._to = os.pipe()
        self._from, write = os.pipe()
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-pipe"]
        command = [program, *flags, f"--user-data-dir={folder}", "about:blank"]
        self._process = subprocess.Popen(
            [sys.executable, "-c", AS_3_AND_4, str(read), str(write), *command],
            pass_fds=(read, write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read)
        os.close(write)
        self._buffer, self._number, self.events = b"", 0, []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.call(f"{domain}.enable")

    _session = None

    def _message(self):
        while b"\0" not in self._buffer:
            data = os.read(self._from, 1 << 20)
            assert data, "the browser has gone"
            self._buffer += data
        text, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(text)

    def call(self, method, **parameters):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._message()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def open(self, url, width, height=900):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.events.clear()
        self.call("Page.navigate", url=url)
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._message())

    def evaluate(self, expression):
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def close(self):
        self._process.terminate()
        self._process.wait(30)
        os.close(self._to)
        os.close(self._from)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("there is no chromium on the PATH; install Debian's package chromium to run this test")
    browser = Browser(program, tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.close()


OVERFLOWING = """
[...document.querySelectorAll("body *")].filter(element =>
    !element.closest("svg svg, .scroll table") && element.getBoundingClientRect().right > innerWidth + 1
).map(element => element.outerHTML.slice(0, 200))
"""


@pytest.mark.parametrize("width", [1280, 390])
def test_in_chromium(browser, results, examples, tmp_path, width):
    path = tmp_path / "report.html"
    write_page(results, path, examples)
    browser.open(path.as_uri(), width)
    browser.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.evaluate(OVERFLOWING) == []
    assert browser.evaluate("document.querySelectorAll('figure svg').length") == 5 * len(results.tasks())
    assert browser.evaluate("document.scripts.length") == 0
    methods = {event.get("method") for event in browser.events}
    assert not methods & {"Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown"}
    requests = [e["params"]["request"]["url"] for e in browser.events if e.get("method") == "Network.requestWillBeSent"]
    assert {url for url in requests if not url.startswith("data:")} == {path.as_uri()}
