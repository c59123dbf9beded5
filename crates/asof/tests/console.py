"""The console, as somebody with a browser uses it.

    console.py PATH-OF-ASOF FOLDER-FOR-SCREENSHOTS

Serves a store from a temporary folder, fills it, and drives headless Chromium through every page:
by mouse, by keyboard alone, and with scripts switched off.
"""

import base64
import http.server
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

WAIT_SECONDS = 20

# Keys and values that would do something where a page lets them.
SCRIPT = '<script>document.body.dataset.pwned = "1"</script>'
HOSTILE = [
    SCRIPT,
    '"><img src=x onerror="document.body.dataset.pwned=1">',
    "'-alert(1)-'",
    "</title></textarea></style>" + SCRIPT,
    "a\u202egnp.exe",
    "nul\0 and\nline",
    "{{7*7}}${7*7}",
    "javascript:document.body.dataset.pwned=1",
]


class Store:
    """A served store."""

    def __init__(self, program, folder):
        config = os.path.join(folder, "asof.toml")
        with open(config, "w", encoding="utf-8") as file:
            file.write("[guard]\nconfirm_above_keys = 10\n")
        command = [program, "--data", os.path.join(folder, "data"), "serve", "--config", config]
        command += ["--listen", "127.0.0.1:0", "--log-format", "json"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            found = re.search(r'"address":"([^"]+)"', line)
            if found:
                self.root = f"http://{found[1]}"
                break
        else:
            raise SystemExit("the store does not serve")
        # Read on, so that the store never waits for whoever reads its log.
        self.reader = subprocess.Popen(["cat"], stdin=self.process.stderr, stdout=subprocess.DEVNULL)
        self.secret = None

    def ask(self, method, path, body=None, headers=()):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.root + path, data=data, method=method)
        if self.secret:
            request.add_header("Authorization", f"Bearer {self.secret}")
        for name, text in headers:
            request.add_header(name, text)
        with urllib.request.urlopen(request, timeout=WAIT_SECONDS) as answer:
            return json.load(answer)

    def time(self):
        return self.ask("GET", "/v1/time")

    def commit(self, message, author, writes, **more):
        body = {"message": message, "author": author, "writes": writes, **more}
        return self.ask("POST", "/v1/commits", body)

    def stop(self):
        self.process.terminate()
        self.process.wait(WAIT_SECONDS)
        self.reader.wait(WAIT_SECONDS)


def import_history(store):
    """Two months of exchange rates, at their own times."""
    store.ask("PUT", "/v1/spaces/rates", {"state": "importing"})
    hour = 3_600_000_000
    begin = int(time.time() * 1e6) - 60 * 24 * hour
    lines = []
    for step in range(60 * 24):
        # More by day than by night, none on Sundays.
        of_day, day = step % 24, step // 24
        if day % 7 == 6 or not 6 <= of_day <= 18 + day % 3:
            continue
        writes = [{"key": f"eur/{n:02}", "value": step * n} for n in range(1 + (of_day * 7 + day) % 12)]
        lines.append({"source": f"r{step}", "at": begin + step * hour, "author": "rates", "writes": writes})
    body = "\n".join(json.dumps(line) for line in lines).encode()
    request = urllib.request.Request(f"{store.root}/v1/spaces/rates/import", data=body, method="POST")
    urllib.request.urlopen(request, timeout=WAIT_SECONDS).close()
    store.ask("POST", "/v1/spaces/rates/live", None, [("Asof-Reason", "history is there")])


def fill_store(store):
    """Returns a moment before a bad commit, and that commit."""
    import_history(store)
    prices = [
        {"space": "prices", "key": f"sku-{n:05}", "value": {"eur": round(1 + n / 100, 2), "valid": True}}
        for n in range(240)
    ]
    store.commit("price list of November", "ada", prices)
    texts = {
        "banner": "Winter is coming",
        "terms/de": "Allgemeine Geschäftsbedingungen\n\n§ 1 Geltung",
        "terms/en": "Terms and conditions\n\n1. Scope\n2. Prices\n3. Delivery",
    }
    writes = [{"space": "texts", "key": key, "value_text": text} for key, text in texts.items()]
    store.commit("", "bob", writes)
    logo = base64.b64encode(bytes(range(256))).decode()
    store.commit("logo", "bob", [{"space": "texts", "key": "logo.png", "value_base64": logo}])
    hostile = [
        {"space": "hostile", "key": text, "value": {"text": text, "again": [text]}} for text in HOSTILE
    ]
    store.commit(SCRIPT, SCRIPT, hostile)
    store.commit("again", "eve", [{"space": "hostile", "key": HOSTILE[0], "value_text": SCRIPT + "\u202e"}])
    details = {"name": "Kettle", "eur": 39.9, "tags": ["kitchen", "new"], "stock": 12}
    for step, stock in enumerate([12, 9, 4]):
        value = {**details, "stock": stock, "tags": details["tags"][: 2 - step // 2]}
        store.commit(f"stock is {stock}", "warehouse", [{"space": "products", "key": "kettle", "value": value}])
    before = store.time()["closed"]
    bad = [
        {"space": "prices", "key": f"sku-{n:05}", "value": {"eur": round(100 + n, 2), "valid": True}}
        for n in range(60)
    ]
    bad = store.commit("price list of December", "import", bad)
    store.commit("stock", "warehouse", [{"space": "products", "key": "kettle", "value": {**details, "stock": 30}}])
    reason = [("Asof-Reason", "because"), ("Asof-Author", "ada")]
    soon = int((time.time() + 3 * 86400) * 1e6)
    release = {
        "at": soon, "message": "spring prices",
        "writes": [{"space": "prices", "key": "sku-00001", "value": {"eur": 0.99}}],
    }
    store.ask("PUT", "/v1/releases/spring", release, reason)
    store.ask("POST", "/v1/releases/spring/schedule", None, reason)
    store.ask("PUT", "/v1/releases/banner", {**release, "at": soon + 86_400_000_000, "needs_approval": True}, reason)
    body = {"message": "pending text", "author": "bob", "effective_at": soon,
            "writes": [{"space": "texts", "key": "banner", "value_text": "Spring"}]}
    store.ask("POST", "/v1/commits", body)
    pin = {"owner": "reports", "reason": "nightly report", "ttl_seconds": 3600}
    store.ask("PUT", "/v1/pins/nightly", pin)
    return before, bad


class Browser:
    """Chromium, and what it shows."""

    def __init__(self, folder, scripts=True):
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium")
        for flag in [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--hide-scrollbars", f"--user-data-dir={folder}",
        ]:
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        if not scripts:
            setting = "profile.managed_default_content_settings.javascript"
            options.add_experimental_option("prefs", {setting: 2})
        service = webdriver.ChromeService(shutil.which("chromedriver"))
        self.driver = webdriver.Chrome(options=options, service=service)
        self.driver.set_page_load_timeout(WAIT_SECONDS)

    def one(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self):
        return self.one("body").text

    def until(self, what, condition):
        WebDriverWait(self.driver, WAIT_SECONDS).until(lambda _: condition(), what)

    def leave(self, what, act):
        """Does what leads to another page, and waits for it."""
        old = self.one("html")
        act()

        def gone():
            try:
                old.is_enabled()
            except Exception:
                return self.driver.execute_script("return document.readyState") == "complete"
            return False

        self.until(what, gone)

    def keys(self, *keys):
        ActionChains(self.driver).send_keys(*keys).perform()

    def focused(self):
        return self.driver.switch_to.active_element

    def tab_to(self, selector):
        """Goes on by Tab alone until `selector` has the focus."""
        for _ in range(200):
            wanted = self.all(selector)
            if wanted and self.focused() == wanted[0]:
                return wanted[0]
            self.keys(Keys.TAB)
        raise SystemExit(f"{selector} cannot be reached by Tab on {self.driver.current_url}")

    def size(self, width, height, phone=False):
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 2 if phone else 1, "mobile": phone},
        )

    def scheme(self, name):
        features = [{"name": "prefers-color-scheme", "value": name}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def shoot(self, path):
        shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": False})
        with open(path, "wb") as file:
            file.write(base64.b64decode(shot["data"]))

    def check_clean(self):
        """Nothing of a stranger's ran, and nothing was blocked since nothing tried."""
        assert "pwned" not in self.driver.page_source.replace("dataset.pwned", ""), "a script ran"
        assert self.one("body").get_attribute("data-pwned") is None, "a script ran"
        wrong = [
            entry for entry in self.driver.get_log("browser")
            if entry["level"] == "SEVERE" and "the server responded with a status of 4" not in entry["message"]
        ]
        assert not wrong, wrong


def pages(browser, store, before, bad):
    """Name and URL of every page."""
    q = urllib.parse.quote
    root = store.root
    return {
        "overview": f"{root}/",
        "space": f"{root}/console/space?space=prices",
        "space-at": f"{root}/console/space?space=prices&at={before}",
        "hostile": f"{root}/console/space?space=hostile",
        "key": f"{root}/console/key?space=products&key=kettle",
        "key-hostile": f"{root}/console/key?space=hostile&key={q(HOSTILE[0], safe='')}",
        "key-nul": f"{root}/console/key?space=hostile&key={q(HOSTILE[5], safe='')}",
        "key-binary": f"{root}/console/key?space=texts&key=logo.png",
        "diff": f"{root}/console/diff?space=prices&from={before}",
        "log": f"{root}/console/log",
        "commit": f"{root}/console/commit?id={bad['id']}",
        "releases": f"{root}/console/releases",
        "release": f"{root}/console/release?name=banner",
        "release-scheduled": f"{root}/console/release?name=spring",
        "plan": f"{root}/console/plan",
        "plan-amend": f"{root}/console/plan?name=spring",
        "pins": f"{root}/console/pins",
        "cap": f"{root}/console/cap?at={before}",
        "audit": f"{root}/console/audit",
    }


class Page(http.server.BaseHTTPRequestHandler):
    """A service behind the edge: it reads a key through its egress listener."""

    egress = None

    def do_GET(self):
        url = f"http://{self.egress}/-/main/v1/spaces/products/keys/kettle"
        request = urllib.request.Request(url, headers={"Asof-Context": self.headers["Asof-Context"]})
        with urllib.request.urlopen(request, timeout=WAIT_SECONDS) as answer:
            body = answer.read()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def free_address():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{taken.getsockname()[1]}"


def behind_an_edge(browser, program, store, folder, shots):
    """An edge tells its store how it stands, and what was asked about."""
    service = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=service.serve_forever, daemon=True).start()
    listen, admin, Page.egress = free_address(), free_address(), free_address()
    config = os.path.join(folder, "edge.toml")
    with open(config, "w", encoding="utf-8") as file:
        file.write(f"""
listen = '{listen}'
admin = '{admin}'
report_as = 'edge-1'
[stores.main]
url = '{store.root}'
[[ingress.rules]]
service = 'shop'
[services.shop]
upstreams = ['http://127.0.0.1:{service.server_address[1]}']
egress = '{Page.egress}'
[[services.shop.routes]]
path = '/products/{{id}}'
mode = 'on'
observed_min = 1
[[services.shop.routes]]
path = '/{{*path}}'
mode = 'observe'
""")
    edge = subprocess.Popen([program, "edge", "--config", config], stderr=subprocess.DEVNULL)

    def ask(path, at=listen):
        try:
            with urllib.request.urlopen(f"http://{at}{path}", timeout=WAIT_SECONDS) as answer:
                return json.load(answer)
        except OSError:
            return None

    def told():
        for number in range(20):
            ask("/products/kettle")
            ask(f"/else/{number % 3}")
        if ask("/explain?path=/products/kettle", admin) is None:
            return False
        edges = store.ask("GET", "/v1/edges")["edges"]
        return any(edge["report"].get("explained") for edge in edges)

    try:
        WebDriverWait(browser.driver, 60, 1).until(lambda _: told())
        browser.driver.get(f"{store.root}/console/edges")
        text = browser.text()
        assert "edge-1" in text and "GET shop /products/kettle" in text, text
        tree = browser.one("ul.tree").text
        assert "/v1/spaces/products/keys/kettle" in tree and "limits" in tree, tree

        def drawn():
            browser.driver.get(f"{store.root}/console/edges")
            return browser.all("svg.outcomes rect")

        # A column is what came between two reports, of which there is one every ten seconds.
        WebDriverWait(browser.driver, 60, 1).until(lambda _: drawn())
        shoot_all(browser, shots, "edges")
        browser.check_clean()
    finally:
        edge.terminate()
        edge.wait(WAIT_SECONDS)
        service.shutdown()


def look(browser, urls, shots):
    for name, url in urls.items():
        browser.driver.get(url)
        assert browser.all("main h1"), f"{name}: {browser.text()}"
        assert not browser.all("[role=alert]"), f"{name}: {browser.text()}"
        if browser.all("[data-time]"):
            browser.until("the slider", lambda: browser.one("[data-time] input[type=range]").is_displayed())
        shoot_all(browser, shots, name)
        browser.check_clean()


def slide(browser, store):
    """The slider leads to the moment where it is put, on whatever page."""
    browser.driver.get(f"{store.root}/console/space?space=rates&window=month")
    browser.until("the slider", lambda: browser.one("[data-time] input[type=range]").is_displayed())
    slider = browser.one("[data-time] input[type=range]")
    width = slider.size["width"]
    act = ActionChains(browser.driver).move_to_element_with_offset(slider, width // 2 - 2, 0)
    act = act.click_and_hold().move_by_offset(-width // 4, 0).release()
    browser.leave("the moment of the slider", act.perform)
    url = urllib.parse.urlsplit(browser.driver.current_url)
    query = urllib.parse.parse_qs(url.query)
    assert url.path == "/console/space" and query["space"] == ["rates"], url
    assert {"at", "epoch", "build"} <= set(query), f"the URL of a fact holds all it depends on: {url}"
    assert query["window"] == ["month"], url
    shown = int(query["at"][0])
    days = (time.time() * 1e6 - shown) / 86_400e6
    assert 3 < days < 28, f"{days} days back"
    # It rules the pages that one goes to from there.
    browser.leave("the log", lambda: browser.one("nav a[href^='/console/log']").click())
    assert f"at={shown}" in browser.driver.current_url
    times = [cell.text for cell in browser.all("table.log td:first-child")]
    assert times and max(times) <= browser.one("#at").get_attribute("value"), times[:3]
    browser.leave("latest", lambda: browser.one("a.chip").click())
    assert "at=" not in browser.driver.current_url
    browser.check_clean()


def cap_by_mouse(browser, store, before, shots):
    """A cap takes a look, a second word, and is cleared again."""
    browser.driver.get(f"{store.root}/console/cap?at={before}")
    browser.one("input[name=reason]").send_keys("prices a hundred times too high")
    Select(browser.one("select[name=expires]")).select_by_value("1h")
    browser.leave("the dry run", lambda: browser.one("form.action button").click())
    text = browser.text()
    assert "Nothing is done yet" in text and "keys answer differently" in text, text
    assert '{"eur": 100' in text, text
    assert store.time()["cap"] is None
    shoot_all(browser, shots, "act")
    word = re.search(r"type (\d+-keys)", text)[1]
    browser.one("input[name=confirm]").send_keys("3-keys")
    browser.leave("the refusal", lambda: browser.one("button.do").click())
    assert "Nothing was done" in browser.one("[role=alert]").text, browser.text()
    assert store.time()["cap"] is None
    shoot_all(browser, shots, "act-refused")
    browser.one("input[name=confirm]").send_keys(word)
    browser.leave("the cap", lambda: browser.one("button.do").click())
    assert "Capped at" in browser.one(".notice").text
    assert store.time()["cap"] == before == store.time()["latest"]
    shoot_all(browser, shots, "cap-set")
    # What the cap holds back is refused, and shown to an operator who asks for it by name.
    closed = store.time()["closed"]
    browser.driver.get(f"{store.root}/console/key?space=products&key=kettle&at={closed}")
    assert browser.one("h1").text == "AboveCap", browser.text()
    shoot_all(browser, shots, "refused")
    browser.leave("beyond the cap", lambda: browser.one("main a.button").click())
    assert '"stock": 30' in browser.one("pre.box").text
    browser.check_clean()


def clear_by_keyboard(browser, store):
    """The cap is cleared without a mouse."""
    browser.driver.get(f"{store.root}/")
    browser.keys(Keys.TAB)
    assert "Skip" in browser.focused().text
    assert browser.focused().rect["y"] >= 0, "what has the focus is seen"
    browser.tab_to("nav a[href^='/console/cap']")
    browser.leave("the cap", lambda: browser.keys(Keys.ENTER))
    browser.tab_to("form.action:nth-of-type(2) input[name=reason]")
    browser.keys("prices are put back")
    browser.tab_to("form.action:nth-of-type(2) button")
    browser.leave("the dry run", lambda: browser.keys(Keys.ENTER))
    word = re.search(r"type (\d+-keys)", browser.text())[1]
    browser.tab_to("input[name=confirm]")
    browser.keys(word)
    browser.tab_to("button.do")
    browser.leave("no cap", lambda: browser.keys(Keys.ENTER))
    assert store.time()["cap"] is None
    assert "cap-cleared" in browser.text()
    # The slider, too: so many steps back, and Enter.
    slider = browser.tab_to("[data-time] input[type=range]")
    browser.keys(*[Keys.ARROW_LEFT] * 40)
    assert browser.one("#at").get_attribute("value"), "the moment is said before one goes there"
    assert slider.get_attribute("aria-valuetext") == browser.one("#at").get_attribute("value")
    browser.leave("the moment", lambda: browser.keys(Keys.ENTER))
    assert "at=" in browser.driver.current_url
    browser.check_clean()


def fill(browser, form, **fields):
    """Writes into the fields of a form."""
    for name, text in fields.items():
        field = browser.one(f"{form} [name={name}]")
        field.clear()
        field.send_keys(text)


def form_of(action):
    return f"form.action:has(input[value={action}])"


def press(browser, form, what):
    browser.leave(what, lambda: browser.one(f"{form} button:not([name])").click())


def do(browser, what):
    browser.leave(what, lambda: browser.one("button.do").click())


def walk_an_incident(browser, store, shots):
    """Cap, revert, clear: by browser alone, from link to link."""
    key = lambda name: {"space": "shop", "key": name, "value": {"eur": 1.5}}
    store.commit("prices", "ada", [key("tea"), key("<b>coffee</b>"), key("milk")])
    wrong = lambda name: {**key(name), "value": {"eur": 150}}
    bad = store.commit("prices of tomorrow", "import", [wrong("tea"), wrong("<b>coffee</b>"), wrong("milk")])
    store.commit("by hand", "bob", [{**key("milk"), "value": {"eur": 1.6}}])
    browser.driver.get(f"{store.root}/console/log")
    link = f"a[href*='/console/commit?id={bad['id']}']"
    browser.until("the commit", lambda: browser.all(link))
    browser.leave("the commit", lambda: browser.one(link).click())
    shoot_all(browser, shots, "incident-commit")
    browser.leave("the cap", lambda: browser.one("a.button[href*='/console/cap']").click())
    fill(browser, form_of("cap-set"), reason="a hundred times too high")
    press(browser, form_of("cap-set"), "the dry run")
    do(browser, "the cap")
    shoot_all(browser, shots, "incident-capped")
    browser.leave("the log above it", lambda: browser.one("main a[href*='above_cap=true']").click())
    browser.leave("the commit", lambda: browser.one(link).click())
    assert "Not read at present" in browser.text()
    fill(browser, form_of("revert"), reason="a hundred times too high")
    press(browser, form_of("revert"), "the conflicts")
    assert "1 key was written again since" in browser.one("[role=alert]").text, browser.text()
    assert not browser.all("button.do"), "nothing is offered before it is decided"
    shoot_all(browser, shots, "revert-conflict", scroll=".decide")
    browser.leave("the decision", lambda: browser.one(".decide button[value^='keep ']").click())
    assert "kept as they are" in browser.text() and not browser.all(".decide"), browser.text()
    shoot_all(browser, shots, "revert-look")
    do(browser, "the revert")
    assert f"Revert of commit {bad['id']}" in browser.text(), browser.text()
    shoot_all(browser, shots, "revert-done")
    browser.leave("the cap", lambda: browser.one(".notice a[href^='/console/cap']").click())
    fill(browser, form_of("cap-clear"), reason="prices are put back")
    press(browser, form_of("cap-clear"), "the dry run")
    assert "1 key answers differently" in browser.text(), browser.text()
    do(browser, "no cap")
    assert store.time()["cap"] is None
    held = lambda name: store.ask("GET", f"/v1/spaces/shop/keys/{urllib.parse.quote(name, safe='')}")
    assert [held(name)["eur"] for name in ("tea", "<b>coffee</b>", "milk")] == [1.5, 1.5, 1.6]
    browser.check_clean()


def hold_a_moment(browser, store, before, shots):
    """A pin where the slider stands, renewed later."""
    browser.driver.get(f"{store.root}/console/pins?at={before}")
    form = form_of("pin-create")
    fill(browser, form, name="audit <2026>", owner="ada", reason="yearly audit", expires="30d")
    shoot_all(browser, shots, "pin-form", scroll=form)
    press(browser, form, "the look")
    assert "holds back" in browser.text(), browser.text()
    shoot_all(browser, shots, "pin-look")
    do(browser, "the pins")
    pins = {pin["name"]: pin for pin in store.ask("GET", "/v1/pins")["pins"]}
    assert pins["audit <2026>"]["at"] == before, pins
    row = browser.one("tbody tr:has(a[href*='audit'])")
    browser.leave("the form", lambda: row.find_element(By.LINK_TEXT, "Renew").click())
    shoot_all(browser, shots, "pin-renew", scroll=form)
    fill(browser, form, expires="60d")
    press(browser, form, "the look")
    do(browser, "the pins")
    renewed = {pin["name"]: pin for pin in store.ask("GET", "/v1/pins")["pins"]}["audit <2026>"]
    assert renewed["at"] == before and renewed["expires"] > pins["audit <2026>"]["expires"], renewed
    browser.check_clean()


def plan_a_release(browser, store, folder, shots):
    """From a file, looked at against what is read now, amended, and scheduled."""
    path = os.path.join(folder, "summer.json")
    terms = "Terms and conditions\n\n1. Scope\n2. Prices of summer\n3. Delivery\n"
    writes = [
        {"space": "prices", "key": "sku-00002", "value": {"eur": 0.5, "valid": True}},
        {"space": "texts", "key": "terms/en", "value_text": terms},
        {"space": "texts", "key": "terms/de", "delete": True},
        {"space": "hostile", "key": SCRIPT, "value_text": SCRIPT},
    ]
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"message": "summer", "writes": writes}, file, indent=2)
    browser.driver.get(f"{store.root}/console/releases")
    browser.leave("the form", lambda: browser.one("h1 a.button").click())
    at = time.strftime("%Y-%m-%d %H:%M", time.gmtime(time.time() + 5 * 86400))
    form = "form.action"
    fill(browser, form, name="summer", at=at)
    browser.one("input[type=file]").send_keys(path)
    browser.until("the file", lambda: SCRIPT in json.loads(browser.one("textarea").get_attribute("value") or "{}").get("writes", [{}])[-1].get("key", ""))
    assert browser.one(".file [role=status]").text == "read, 1 KiB"
    shoot_all(browser, shots, "plan-filled")
    press(browser, form, "the look")
    text = browser.text()
    assert "4 keys are written" in text and "1 new" not in text, text
    new = " ".join(line.text for line in browser.all("pre.diff .new"))
    assert "2. Prices of summer" in new and '"eur": 0.5' in new, new
    shoot_all(browser, shots, "plan-look")
    do(browser, "the release")
    assert browser.one("h1 .state").text == "draft", browser.text()
    browser.leave("the form", lambda: browser.driver.find_element(By.PARTIAL_LINK_TEXT, "Amend").click())
    assert browser.one("input[name=message]").get_attribute("value") == "summer"
    fill(browser, form, message="summer, as agreed")
    press(browser, form, "the look")
    do(browser, "the release")
    assert "summer, as agreed" in browser.text()
    browser.leave("the look", lambda: browser.one("button[value=release-schedule]").click())
    do(browser, "the release")
    assert browser.one("h1 .state").text == "scheduled" and "A look ahead" in browser.text()
    shoot_all(browser, shots, "release-ahead")
    browser.check_clean()


def plan_by_keyboard(browser, store):
    """A release is planned without a mouse, and what has the focus is seen."""
    browser.driver.get(f"{store.root}/console/releases")
    browser.tab_to("h1 a.button")
    browser.leave("the form", lambda: browser.keys(Keys.ENTER))
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 86400))
    writes = json.dumps({"writes": [{"space": "texts", "key": "k", "value_text": "by hand"}]})
    for name, text in [("name", "typed"), ("at", at), ("writes", writes), ("reason", "typed")]:
        field = browser.tab_to(f"form.action [name={name}]")
        outline = browser.driver.execute_script("return getComputedStyle(arguments[0]).outlineStyle", field)
        assert outline == "solid", f"{name} has the focus, and is seen to: {outline}"
        browser.keys(text)
    browser.tab_to("form.action > button")
    browser.leave("the look", lambda: browser.keys(Keys.ENTER))
    browser.tab_to("button.do")
    browser.leave("the release", lambda: browser.keys(Keys.ENTER))
    assert store.ask("GET", "/v1/releases/typed")["state"] == "draft"
    browser.check_clean()


def act_on_others(browser, store, bad):
    """A release, a pin and a mark, each with a look before it."""
    root = store.root
    browser.driver.get(f"{root}/console/release?name=spring")
    browser.one("form.action input[name=reason]").send_keys("not yet")
    browser.leave("the look", lambda: browser.one("button[value=release-cancel]").click())
    assert "cannot be undone" in browser.text()
    browser.leave("the release", lambda: browser.one("button.do").click())
    assert browser.one("h1 .state").text == "cancelled", browser.text()
    browser.driver.get(f"{root}/console/pins")
    for _ in store.ask("GET", "/v1/pins")["pins"]:
        browser.leave("the look", lambda: browser.one("td form button").click())
        browser.leave("the pins", lambda: browser.one("button.do").click())
    assert "Nobody holds one" in browser.text()
    browser.driver.get(f"{root}/console/commit?id={bad['id']}")
    fill(browser, form_of("bad-mark"), reason="a hundred times too high")
    press(browser, form_of("bad-mark"), "the look")
    browser.leave("the commit", lambda: browser.one("button.do").click())
    assert "Marked bad" in browser.one(".notice").text
    browser.check_clean()


def follow(browser, store):
    """What is committed shows in the log by itself."""
    browser.driver.get(f"{store.root}/console/log")
    browser.until("the feed", lambda: "complete through" in browser.one("[role=status]").text)
    store.commit(SCRIPT, "eve\u202e", [{"space": "texts", "key": "live", "value_text": "x"}])
    browser.until("the commit", lambda: browser.all("table.log tbody tr td:last-child")[0].text == SCRIPT)
    browser.until("the count", lambda: "1 new commit" in browser.one("[role=status]").text)
    browser.check_clean()


def log_in(browser, store, shots):
    """From the first token on a session is needed, and no secret is ever seen again."""
    root = store.root
    secret = store.ask("PUT", "/v1/tokens/ops", {"role": "operator"}, [("Asof-Reason", "setup")])["secret"]
    store.secret = secret
    browser.driver.get(f"{root}/console/cap")
    assert browser.one("h1").text == "Log in", browser.text()
    shoot_all(browser, shots, "login")
    browser.one("input[name=token]").send_keys("asof_wrong")
    browser.leave("the refusal", lambda: browser.one("button.do").click())
    assert "not known" in browser.one("[role=alert]").text
    browser.one("input[name=token]").send_keys(secret)
    browser.leave("the page asked for", lambda: browser.one("button.do").click())
    assert browser.driver.current_url == f"{root}/console/cap", browser.driver.current_url
    assert "ops" in browser.one(".who").text
    shoot_all(browser, shots, "logged-in")
    for page in ("/", "/console/log", "/console/audit"):
        browser.driver.get(root + page)
        assert secret not in browser.driver.page_source
    assert browser.driver.execute_script("return document.cookie") == "", "no script reads the session"
    cookies = browser.driver.get_cookies()
    assert [cookie["httpOnly"] and cookie["sameSite"] == "Strict" for cookie in cookies] == [True], cookies
    browser.driver.get(f"{root}/console/log")
    browser.until("the feed", lambda: "complete through" in browser.one("[role=status]").text)
    browser.leave("the end of the session", lambda: browser.one(".who button").click())
    assert browser.one("h1").text == "Log in"
    browser.check_clean()


def without_scripts(folder, store, before):
    """Every moment can be read where scripts are off."""
    browser = Browser(os.path.join(folder, "plain"), scripts=False)
    try:
        browser.driver.get(f"{store.root}/console/key?space=hostile&key={urllib.parse.quote(HOSTILE[5], safe='')}")
        assert browser.one("main h1").is_displayed()
        assert not browser.one("input[type=range]").is_displayed(), "what does nothing is not shown"
        field = browser.one("#at")
        field.send_keys(str(before))
        field.submit()
        WebDriverWait(browser.driver, WAIT_SECONDS).until(lambda driver: "build=" in driver.current_url)
        # A key that a form would have changed is still itself.
        assert "nul\\u{0} and\\u{a}line" in browser.one("h1").text, browser.text()
        assert "u0000" in browser.one("pre.box").text, browser.text()
        # Forms are whole without what scripts add.
        browser.driver.get(f"{store.root}/console/plan")
        assert browser.one("textarea").is_displayed() and not browser.one("input[type=file]").is_displayed()
    finally:
        browser.driver.quit()


def shoot_all(browser, shots, name, scroll="html"):
    """The page, from `scroll` on, in light, in dark, and on a phone, where it is not too wide."""
    def show():
        script = "document.querySelector(arguments[0]).scrollIntoView({block: 'center', behavior: 'instant'})"
        if scroll != "html":
            browser.driver.execute_script(script, scroll)

    for scheme in ("light", "dark"):
        browser.scheme(scheme)
        browser.size(1280, 860)
        show()
        browser.shoot(f"{shots}/{name}-{scheme}.png")
    browser.scheme("light")
    browser.size(390, 844, phone=True)
    show()
    width = browser.driver.execute_script("return document.documentElement.scrollWidth")
    browser.shoot(f"{shots}/{name}-phone.png")
    browser.size(1280, 860)
    assert width <= 390, f"{name} is {width} wide on a phone"


def main():
    program, shots = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    shutil.rmtree(shots, ignore_errors=True)
    os.makedirs(shots)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(program, folder)
        browser = None
        try:
            before, bad = fill_store(store)
            browser = Browser(os.path.join(folder, "browser"))
            look(browser, pages(browser, store, before, bad), shots)
            slide(browser, store)
            cap_by_mouse(browser, store, before, shots)
            clear_by_keyboard(browser, store)
            follow(browser, store)
            walk_an_incident(browser, store, shots)
            hold_a_moment(browser, store, before, shots)
            plan_a_release(browser, store, folder, shots)
            plan_by_keyboard(browser, store)
            act_on_others(browser, store, bad)
            behind_an_edge(browser, program, store, folder, shots)
            without_scripts(folder, store, before)
            log_in(browser, store, shots)
        finally:
            if browser:
                browser.driver.quit()
            store.stop()
    print(f"every page was visited; {len(os.listdir(shots))} screenshots are in {shots}")


main()
