use std::path::Path;

use super::url::BaseUrl;
use super::*;

const WHOLE: &str = include_str!("../../../../examples/edge.toml");

fn plan(text: &str) -> Plan {
    match Plan::from_toml(text, Path::new("/etc/asof")) {
        Ok(plan) => plan,
        Err(mistakes) => panic!("{mistakes}"),
    }
}

/// The mistakes of a text, each `line: text`.
fn mistakes(text: &str) -> Vec<(usize, String)> {
    let mistakes = Plan::from_toml(text, Path::new("")).expect_err("it is wrong");
    mistakes.iter().map(|mistake| (mistake.line, mistake.text.clone())).collect()
}

#[track_caller]
fn refused(text: &str, line: usize, part: &str) {
    let found = mistakes(text);
    let hit = found.iter().any(|(at, why)| *at == line && why.contains(part));
    assert!(hit, "no `{part}` on line {line} in {found:#?}");
}

const SERVICE: &str = "[services.a]\nupstreams = ['http://127.0.0.1:1']\n";

#[test]
fn nothing_is_a_configuration_too() {
    let plan = plan("");
    assert_eq!(plan.listen.to_string(), "127.0.0.1:7480");
    assert_eq!(plan.limits.call_depth, 32);
    assert_eq!(plan.auth, Auth::None);
}

#[test]
fn the_example_is_read_wholly() {
    let plan = plan(WHOLE);
    let service = &plan.services["files"];
    assert_eq!(service.upstreams[1].port(), 9011);
    assert_eq!(service.egress.unwrap().port(), 7491);
    let (nth, route) = service.route(&http::Method::HEAD, "/files/a/b").unwrap();
    assert_eq!((nth, route.mode), (0, Mode::Observe));
    assert!(service.route(&http::Method::POST, "/files/a/b").is_none());
    assert_eq!(route.stores.len(), 1, "no declared set means all");
    assert_eq!(plan.rule(Some("shop.example"), "/x").unwrap().service.as_str(), "pages");
}

#[test]
fn files_are_named_from_the_folder_of_the_configuration() {
    let plan = plan("[stores.main]\nurl = 'http://h'\ntoken_file = 'edge.token'");
    assert_eq!(plan.stores["main"].token_file.as_deref(), Some(Path::new("/etc/asof/edge.token")));
}

#[test]
fn all_mistakes_are_said_at_once_with_their_lines() {
    let text = "lisen = '127.0.0.1:1'\n[limits]\nconnections = 0\nwindow = '15'\n\
                [services.a]\nupstreams = []\ntimeout = 3\n[[services.a.routes]]\npath = 'x'\n\
                mdoe = 'on'\n";
    let found = mistakes(text);
    assert_eq!(found.len(), 6, "{found:#?}");
    refused(text, 1, "did you mean `listen`?");
    refused(text, 3, "limits.connections: 0 is not within 1 to 1000000");
    refused(text, 4, "write a whole number and a unit");
    refused(text, 6, "at least one is needed");
    refused(text, 7, "expected a string, found integer");
    refused(text, 9, "begin it with `/`");
}

#[test]
fn an_unknown_key_of_a_route_is_found_too() {
    let text = format!("{SERVICE}[[services.a.routes]]\npath = '/x'\nmdoe = 'on'\n");
    refused(&text, 5, "services.a.routes[0].mdoe: unknown key; did you mean `mode`?");
    refused("zzzzzzz = 1", 1, "known here are listen, admin");
}

#[test]
fn text_that_is_no_toml_is_said_with_its_line() {
    refused("listen = '127.0.0.1:1'\nadmin = ", 2, "not TOML");
}

#[test]
fn what_refers_to_nothing_is_refused() {
    let rule = format!("{SERVICE}[[ingress.rules]]\nservice = 'b'\n");
    refused(&rule, 4, "there is no service `b`; did you mean `a`?");
    let route = format!(
        "{SERVICE}[[services.a.routes]]\npath = '/'\nstate = ['thme']\nstores = ['x']\n\
         [state.theme]\ndefault = 'a'\n"
    );
    refused(&route, 5, "there is no state value `thme`; did you mean `theme`?");
    refused(&route, 6, "there is no store `x`; there is none");
    refused("[state.t]\ndefault = ''\nstore = 'main'", 3, "there is no store `main`");
}

#[test]
fn listeners_are_safe_and_apart() {
    refused("listen = '0.0.0.0:1'", 1, "beyond loopback");
    refused("tls_terminated_elsewhere = true\nadmin = '0.0.0.0:1'", 2, "takes a token");
    let twice = format!("{SERVICE}egress = '127.0.0.1:7480'\n");
    refused(&twice, 3, "already that of listen");
    plan("listen = '127.0.0.1:0'\nadmin = '127.0.0.1:0'");
    plan("listen = '0.0.0.0:1'\ntls_terminated_elsewhere = true");
}

#[test]
fn a_cached_route_needs_a_listener_and_a_store() {
    let text = format!("{SERVICE}[[services.a.routes]]\npath = '/'\nmode = 'on'\n");
    refused(&text, 5, "give `egress` to services.a");
    refused(&text, 5, "add [stores.main]");
}

#[test]
fn routes_that_cannot_be_reached_are_refused() {
    let routes = |first: &str, second: &str| {
        format!(
            "{SERVICE}[[services.a.routes]]\npath = '{first}'\n[[services.a.routes]]\n\
             path = '{second}'\n"
        )
    };
    refused(&routes("/{*rest}", "/x"), 6, "taken by routes[0]");
    refused(&routes("/x/{a}", "/x/{b}"), 6, "taken by routes[0]");
    refused(&routes("/x", "/x"), 6, "taken by routes[0]");
    refused(&routes("/x/{a", "/x"), 4, "is no pattern of paths");
    plan(&routes("/x/{a}", "/x/{*rest}"));
    plan(&routes("/x/y", "/x/{a}"));
    let rules = format!(
        "{SERVICE}[[ingress.rules]]\nservice = 'a'\n[[ingress.rules]]\nprefix = '/x'\n\
         service = 'a'\n"
    );
    refused(&rules, 5, "is never reached");
}

#[test]
fn trust_is_said_in_words() {
    let text = format!("{SERVICE}[[services.a.routes]]\npath = '/'\nobserved_min = 0\n");
    refused(&text, 5, "trust = true");
    plan(&format!("{text}trust = true\n"));
}

#[test]
fn the_way_to_a_state_value_is_straight_and_short() {
    let state = |from: &str| {
        format!("[stores.m]\nurl = 'http://h'\n[state.t]\ndefault = ''\nstore = 'm'\nfrom = {from}")
    };
    plan(&state("[{cookie='s'}, {lookup='a', field='b'}]"));
    refused(&state("[{lookup='a', field='b'}]"), 6, "begin with a cookie");
    refused(&state("[{cookie='s'}, {lookup='a'}]"), 6, "needs the `field`");
    refused(&state("[{cookie='s'}, {cookie='t'}]"), 6, "only the first step");
    refused(&state("[{cookie='s', query='t'}]"), 6, "one step reads one thing");
    refused(&state("[{claim='s'}]"), 6, "auth.mode");
    let step = "{lookup='a', field='b'}";
    refused(&state(&format!("[{{cookie='s'}}, {step}, {step}]")), 6, "a cycle");
    let many: Vec<String> = (0..8).map(|nth| format!("{{lookup='a', field='{nth}'}}")).collect();
    let long = state(&format!("[{{cookie='s'}}, {}]", many.join(", ")));
    refused(&long, 6, "above the limit of 8");
}

#[test]
fn time_is_exact_or_a_unit_in_a_zone() {
    let route = |more: &str| {
        format!("{SERVICE}[[services.a.routes]]\npath = '/'\n{more}\n[state.z]\ndefault='UTC'")
    };
    let time = |text: &str| plan(&route(text)).services["a"].routes[0].time.clone();
    assert_eq!(time(""), TimeInput::None);
    assert_eq!(time("time = 'exact'"), TimeInput::Exact);
    let utc = Zone::Named("UTC".to_owned());
    assert_eq!(time("time = 'day'"), TimeInput::Bucket(Bucket::Day, utc));
    let from = Zone::FromState("z".parse().unwrap());
    let day = "time = 'day'\nzone_from = 'z'\nstate = ['z']";
    assert_eq!(time(day), TimeInput::Bucket(Bucket::Day, from));
    refused(&route("time = 'week'"), 5, "none of exact, year, month");
    refused(&route("time = 'day'\nzone = 'Europe/Atlantis'"), 6, "is no time zone");
    refused(&route("time = 'exact'\nzone = 'UTC'"), 6, "only a calendar unit");
    refused(&route("time = 'day'\nzone_from = 'z'"), 6, "not among the route's `state`");
}

#[test]
fn names_and_addresses_mean_one_thing() {
    let hosts = format!("{SERVICE}hosts = ['b']\n[services.b]\nupstreams = ['http://h:1']\n");
    refused(&hosts, 3, "means service `b` already");
    let store = format!("{SERVICE}[stores.a]\nurl = 'http://h'\n");
    refused(&store, 3, "is that of service `a` too");
    refused("[services.localhost]\nupstreams = ['http://h']", 1, "is no name");
    for url in
        ["ftp://h", "http://h/x", "http://u@h", "h:1", "http://h:0", "https://[::", "https://-h"]
    {
        refused(&format!("[services.a]\nupstreams = ['{url}']"), 2, "write `http://host:port`");
    }
    refused(&format!("{SERVICE}hosts = ['x:1']"), 3, "is no host name");
}

#[test]
fn whoever_is_asked_over_https_must_show_a_certificate_of_that_name() {
    let url = |text: &str| text.parse::<BaseUrl>().unwrap();
    let (plain, secured) = (url("http://h"), url("https://h"));
    assert_eq!((plain.port(), plain.secured()), (80, None));
    assert_eq!((secured.port(), secured.to_string().as_str()), (443, "https://h"));
    assert_eq!(secured.secured().unwrap().to_str(), "h");
    assert_eq!(url("https://[::1]:8443/").secured().unwrap().to_str(), "::1");
    let good = plan(&format!("ca_file = 'ca.pem'\n{SERVICE}[stores.s]\nurl = 'https://s'\n"));
    assert_eq!(good.settings()["ca_file"], "/etc/asof/ca.pem");
    assert_eq!(good.urls().filter(|url| url.secured().is_some()).count(), 1);
}

#[test]
fn what_nobody_may_depend_on_cannot_be_declared() {
    for name in
        ["cookie", "authorization", "connection", "asof-context", "tracestate", "range", "if-match"]
    {
        let text = format!("{SERVICE}[[services.a.routes]]\npath = '/'\nheaders = ['{name}']\n");
        refused(&text, 5, "cannot be part of a call");
    }
    let upper = format!("{SERVICE}[[services.a.routes]]\npath = '/'\nheaders = ['X-A']\n");
    refused(&upper, 5, "in lower case");
    let head = format!("{SERVICE}[[services.a.routes]]\npath = '/'\nmethods = ['HEAD']\n");
    refused(&head, 5, "cannot be the method");
}

#[test]
fn the_canonical_form_says_what_can_change_an_answer() {
    let form = |more: &str| {
        let text = format!(
            "{SERVICE}egress = '127.0.0.1:7491'\n[stores.m]\nurl = 'http://h'\n[state.s]\n\
             default = ''\n[[services.a.routes]]\npath = '/'\n{more}"
        );
        plan(&text).services["a"].routes[0].canonical_config()
    };
    let base = form("");
    assert_eq!(base, form(""), "the same each time");
    for same in ["mode = 'on'", "shadow = 0.5", "observed_min = 7", "on_loss = 'pass'"] {
        assert_eq!(base, form(same), "{same}");
    }
    let mut seen = vec![base];
    for other in [
        "query = []",
        "query = ['a']",
        "query = ['all']",
        "headers = ['a']",
        "state = ['s']",
        "time = 'exact'",
        "time = 'day'",
        "time = 'day'\nzone = 'Europe/Berlin'",
        "constant = true",
        "methods = ['GET', 'POST']",
    ] {
        let bytes = form(other);
        assert!(!seen.contains(&bytes), "{other}");
        seen.push(bytes);
    }
    assert_eq!(form("query = ['a', 'b']"), form("query = ['b', 'a', 'b']"));
    assert_ne!(form("query = ['a', 'b']"), form("query = ['ab']"));
}

#[test]
fn a_difference_names_the_setting_and_when_it_takes_effect() {
    let before = plan(SERVICE);
    let text = "listen = '127.0.0.1:1'\n[services.a]\nupstreams = ['http://127.0.0.1:1']\n\
                timeout = '20s'\nhealth = { path = '/h' }\n";
    let after = plan(text);
    let shown: Vec<String> = before.diff(&after).iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "listen: 127.0.0.1:7480 -> 127.0.0.1:1 (needs a restart)",
            "services.a.health: new, /h every 2s",
            "services.a.timeout: 10s -> 20s",
        ]
    );
    assert!(before.diff(&before.clone()).is_empty());
}

#[test]
fn releases_are_read_and_fit_together() {
    let store = "[stores.m]\nurl = 'http://h'\n[releases]\nstore = 'm'\n";
    let versions = "[services.a]\nupstreams = []\n[services.a.versions.\"1.0\"]\n\
                    upstreams = ['http://127.0.0.1:1']\n";
    let canary = "[services.a.canary]\nstate = 's'\nvalue = 'b'\nrelease = 'a-next'\n";
    let state = "[state.s]\ndefault = ''\n";
    let whole = plan(&format!("{store}{versions}{canary}{state}"));
    assert_eq!(whole.releases.as_ref().map(|releases| releases.space.as_str()), Some("releases"));
    let settings = whole.settings();
    assert_eq!(settings["services.a.versions.1.0.upstreams"], "[http://127.0.0.1:1]");
    assert_eq!(settings["services.a.canary"], "s = b -> a-next");
    assert_eq!(settings["releases.space"], "releases");
    let without = plan(&format!("{store}{versions}{state}"));
    assert_ne!(whole.canonical_releases(), without.canonical_releases());
    assert!(plan(SERVICE).canonical_releases().is_empty());
    refused(versions, 3, "add [releases]");
    refused(&format!("{SERVICE}{canary}{state}"), 4, "add [releases]");
    refused(&format!("{store}{versions}{canary}"), 10, "no state value `s`");
    refused("[releases]\nstore = 'n'", 2, "no store `n`");
    refused("[releases]\nspace = 's'", 1, "name one of [stores]");
    refused(&format!("{SERVICE}[services.a.versions.'a b']\nupstreams = []"), 3, "no version");
    refused(&format!("{SERVICE}[services.a.canary]\nstate = 's'"), 3, "takes `state`");
}

#[test]
fn what_is_required_cannot_be_chosen_by_clients() {
    let with = |from: &str, auth: &str| {
        format!(
            "{SERVICE}[[services.a.routes]]\npath = '/'\nrequire = {{ role = 'admin' }}\n\
             [state.role]\ndefault = ''\nfrom = [{from}]\nstore = 'm'\n\
             [stores.m]\nurl = 'http://h'\n[auth]\n{auth}\n"
        )
    };
    let (tokens, forward) = ("mode = 'tokens'\nfile = 't'", "mode = 'forward'\nurl = 'http://j'");
    let plan = plan(&with("{ claim = 'role' }", tokens));
    let route = &plan.services["a"].routes[0];
    assert_eq!(route.require["role"], ["admin"]);
    assert_eq!(plan.settings()["services.a.routes[0].require.role"], "[admin]");
    let looked_up = "{ claim = 'sub' }, { lookup = 'users', field = 'role' }";
    refused(&with(looked_up, tokens), 5, "bring back what was revoked");
    refused(&with("{ header = 'x-role' }", tokens), 5, "whatever the client says");
    refused(&with("{ auth_header = 'x-role' }", tokens), 8, "mode = \"forward\" only");
    refused(&with("{ claim = 'role' }", forward), 8, "\"jwt\" or \"tokens\" only");
    let route = format!("{SERVICE}[[services.a.routes]]\npath = '/'\n");
    refused(&format!("{route}require = {{ nobody = 'x' }}"), 5, "no state value `nobody`");
    refused(&format!("{route}require = {{ a = 3 }}"), 5, "a string or a list");
    refused(&format!("{route}require = {{ a = [] }}"), 5, "takes 1 to");
}

#[test]
fn the_cookie_of_a_session_has_a_name() {
    let cookie = plan("[session]\ncookie = 'asof_session'").session_cookie;
    assert_eq!(cookie.as_deref(), Some("asof_session"));
    refused("[session]\ncookie = 'a b'", 2, "no name of a cookie");
    refused("[session]", 1, "missing");
}

#[test]
fn spans_and_sizes_are_read_strictly() {
    for bad in ["", "10", "s", "1.5s", "-1s", "10 s", "10S", "99999999999999999999s", "1e3ms"] {
        assert!(units::span(bad).is_err(), "{bad}");
    }
    for bad in ["", "8", "8MB", "8 MiB", "8mib", "99999999999GiB"] {
        assert!(units::size(bad).is_err(), "{bad}");
    }
    for good in ["10ms", "30s", "5m", "12h", "7d"] {
        assert_eq!(units::span_text(units::span(good).unwrap()), good);
    }
    for good in ["7B", "64KiB", "8MiB", "1GiB"] {
        assert_eq!(units::size_text(units::size(good).unwrap()), good);
    }
}

#[test]
fn other_edges_can_be_asked_and_can_ask() {
    let peer = "[peers.south]\nurl = 'http://127.0.0.1:7483'\n";
    let listening = format!("peer_listen = '127.0.0.1:7482'\n{peer}");
    let good = plan(&listening);
    let name: super::PeerName = "south".parse().unwrap();
    assert_eq!(good.peers.get(&name).unwrap().url.port(), 7483);
    assert_eq!(good.settings()["peers.south.url"], "http://127.0.0.1:7483");
    refused(peer, 1, "give it an address");
    refused("[peers.south]\nurl = 'http://h:1'\n", 2, "give `token_file`");
    refused("[peers.south]\n", 1, "write `url");
    refused("peer_listen = '0.0.0.0:1'", 1, "peer_listen: 0.0.0.0:1 is beyond loopback");
    let open = "tls_terminated_elsewhere = true\npeer_listen = '0.0.0.0:1'";
    refused(open, 2, "give `peer_token_file`");
    plan(&format!("{open}\npeer_token_file = 't'"));
    refused("peer_listen = '127.0.0.1:7480'", 1, "already that of listen");
}

#[test]
fn what_is_to_come_is_shown_on_loopback_only() {
    let good = plan("preview_listen = '127.0.0.1:7485'");
    assert_eq!(good.settings()["preview_listen"], "127.0.0.1:7485");
    refused("preview_listen = '0.0.0.0:1'", 1, "shown on loopback only");
    refused("preview_listen = '127.0.0.1:7480'", 1, "already that of listen");
}

#[test]
fn edges_have_in_common_what_calls_mean_and_not_where_they_go() {
    let system = |more: &str| {
        let text = format!(
            "{SERVICE}egress = '127.0.0.1:7491'\n[stores.m]\nurl = 'http://h'\n\
             [[services.a.routes]]\npath = '/'\n{more}"
        );
        plan(&text).canonical_system()
    };
    let base = system("");
    for same in
        ["mode = 'on'", "shadow = 0.5", "[limits]\ncall_depth = 7\n", "[ingress]\n", "[traces]\n"]
    {
        assert_eq!(base, system(same), "{same}");
    }
    let mut seen = vec![base];
    for other in [
        "constant = true",
        "[[services.a.routes]]\npath = '/b'\n",
        "[services.b]\nupstreams = ['http://h:1']\n",
        "[stores.n]\nurl = 'http://h'\n",
        "[state.s]\ndefault = 'a'\n",
        "[state.s]\ndefault = 'b'\n",
        "[state.s]\ndefault = 'b'\nvalues = ['a', 'b']\n",
        "[state.s]\ndefault = 'b'\nfrom = [{ cookie = 'c' }]\n",
        "[state.s]\ndefault = 'b'\nfrom = [{ header = 'c' }]\n",
        "[releases]\nstore = 'm'\n",
    ] {
        let form = system(other);
        assert!(!seen.contains(&form), "{other}");
        seen.push(form);
    }
}

#[test]
fn who_is_told_of_traces_is_read_strictly() {
    assert_eq!(plan("").traces, None);
    let told = |text: &str| plan(text).traces.unwrap();
    assert_eq!(told("[traces]\n"), Traces { endpoint: None, sample: 0.01 });
    let all = told("[traces]\nendpoint = 'https://otlp.test/base'\nsample = 1\n");
    assert_eq!(
        (all.endpoint.unwrap().to_string().as_str(), all.sample),
        ("https://otlp.test/base", 1.0)
    );
    refused("[traces]\nsample = 1.5\n", 2, "is not within 0 to 1");
    refused("[traces]\nsampel = 1.0\n", 2, "sampel");
    for url in ["127.0.0.1:4318", "/v1/traces", "grpc://h:4317", "http://me@h", "http://h/?a=b"] {
        refused(&format!("[traces]\nendpoint = '{url}'\n"), 2, "write such as");
    }
    // A share takes effect at once; whether anybody is told, with a start.
    let shown = |before: &str, after: &str| -> Vec<String> {
        plan(before).diff(&plan(after)).iter().map(ToString::to_string).collect()
    };
    let sampled = shown("[traces]\n", "[traces]\nsample = 0.5\n");
    assert_eq!(sampled, ["traces.sample: 0.01 -> 0.5"]);
    for (before, after) in [("", "[traces]\n"), ("[traces]\n", "[traces]\nendpoint = 'http://h'\n")]
    {
        let shown = shown(before, after);
        assert!(shown.iter().all(|line| line.ends_with("(needs a restart)")), "{shown:?}");
    }
}

#[test]
fn the_edges_own_parameters_are_no_services() {
    let route = |as_of: &str| {
        format!(
            "{SERVICE}[[services.a.routes]]\npath = '/'\nas_of = '{as_of}'\nquery = ['q', 'epoch']"
        )
    };
    plan(&route("none"));
    refused(&route("closed"), 6, "`epoch` is the edge's own");
}
