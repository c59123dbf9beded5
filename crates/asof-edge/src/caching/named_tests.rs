use std::path::Path;

use super::*;

fn plan(of_route: &str, more: &str) -> Plan {
    let text = format!(
        "[services.a]\nupstreams = ['http://h:1']\n[[services.a.routes]]\npath = '/{{*path}}'\n\
         as_of = 'closed'\n{of_route}\n{more}"
    );
    Plan::from_toml(&text, Path::new("")).unwrap()
}

fn route(plan: &Plan) -> &Route {
    &plan.services.values().next().unwrap().routes[0]
}

/// What is left of a query, the moment, and what is named.
fn taken(query: &str, as_of: AsOf) -> Result<(String, String, Named), String> {
    let plan = plan("", "");
    let route = Route { as_of, ..route(&plan).clone() };
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = format!("/p{query}").parse().unwrap();
    let named = take(&mut request, Some(&route)).map_err(|problem| problem.detail)?;
    let moment = request.headers().get(&wire::AS_OF);
    let moment = moment.map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    Ok((request.uri().to_string(), moment, named))
}

#[test]
fn the_moment_and_the_epoch_are_taken_out_of_the_url() {
    let epoch: Epoch = "0123456789abcd".parse().unwrap();
    let wanted = |path: &str, moment: &str, named| Ok((path.to_owned(), moment.to_owned(), named));
    let closed = |query| taken(query, AsOf::Closed);
    assert_eq!(closed(""), wanted("/p", "", Named::Nothing));
    assert_eq!(closed("?b=1&a=%41"), wanted("/p?b=1&a=%41", "", Named::Nothing));
    assert_eq!(closed("?as_of=7"), wanted("/p", "7", Named::Moment));
    assert_eq!(closed("?b=1&%61s_of=7&a"), wanted("/p?b=1&a", "7", Named::Moment));
    let whole = "?as_of=2026-01-01T00%3A00%3A00Z&x=1&epoch=0123456789abcd";
    assert_eq!(closed(whole), wanted("/p?x=1", "2026-01-01T00:00:00Z", Named::Fact(epoch)));
    // Elsewhere they are the service's.
    assert_eq!(taken(whole, AsOf::None), wanted(&format!("/p{whole}"), "", Named::Nothing));
    for (wrong, why) in [
        ("?as_of=7&as_of=7", "more than once"),
        ("?epoch=0123456789abcd", "names nothing without"),
        ("?as_of=7&epoch=1", "14 hexadecimal digits"),
        ("?as_of=%0a", "is no text"),
    ] {
        let detail = closed(wrong).unwrap_err();
        assert!(detail.contains(why), "{wrong}: {detail}");
    }
}

#[test]
fn who_may_keep_an_answer_follows_from_what_it_depends_on() {
    let tokens = "[auth]\nmode = 'tokens'\nfile = 't'\n";
    let state = |from: &str| format!("[state.s]\ndefault = ''\nfrom = [{{ {from} }}]\n");
    let uses = "state = ['s']";
    let said = |of_route: &str, more: &str| {
        let plan = plan(of_route, more);
        let route = route(&plan);
        let keeping = Keeping::of(&Audience::of(&plan, route), route);
        let vary = keeping.vary_fact.map(|vary| vary.to_str().unwrap().to_owned());
        (keeping.latest, keeping.fact, vary.unwrap_or_default())
    };
    let (public, private) =
        ("public, max-age=31536000, immutable", "private, max-age=31536000, immutable");
    let own = ("private, no-cache", "private, no-cache", String::new());
    assert_eq!(said("", ""), ("no-cache", public, String::new()));
    assert_eq!(said(uses, &state("query = 'q'")), ("no-cache", public, String::new()));
    let vary = "accept-language, x-theme".to_owned();
    let headers = format!("{uses}\nheaders = ['accept-language']");
    assert_eq!(said(&headers, &state("header = 'x-theme'")), ("no-cache", public, vary));
    assert_eq!(said("", tokens), ("private, no-cache", private, String::new()));
    assert_eq!(said(uses, &state("cookie = 'c'")), own);
    assert_eq!(said(uses, &(state("claim = 'c'") + tokens)), own);
    assert_eq!(said(uses, &state("header = 'authorization'")), own);
    // One that is there and not used does not matter.
    assert_eq!(said("", &state("cookie = 'c'")), ("no-cache", public, String::new()));
}
