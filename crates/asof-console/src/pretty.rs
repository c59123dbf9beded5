//! JSON, laid out in lines so that a diff of lines is one of members.

use core::str::Chars;
use std::iter::Peekable;

/// Deepest indentation, in levels: what is nested deeper is not moved further to the right.
const DEPTH_MAX: usize = 64;

/// Lays out `json` one member a line, with every token as it was written: numbers keep their
/// digits, members their order. What is no JSON comes out as something that is no JSON either.
pub fn pretty(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let mut characters = json.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' => {
                out.push('"');
                string(&mut characters, &mut out);
            }
            '{' | '[' => {
                out.push(character);
                space(&mut characters);
                if let Some(close) = characters.next_if(|next| matches!(next, '}' | ']')) {
                    out.push(close);
                } else {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(character);
            }
            ',' => {
                out.push(',');
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            ' ' | '\t' | '\n' | '\r' => {}
            other => out.push(other),
        }
    }
    out
}

/// The rest of a string, its closing quote included.
fn string(characters: &mut Peekable<Chars<'_>>, out: &mut String) {
    while let Some(character) = characters.next() {
        out.push(character);
        match character {
            '"' => return,
            '\\' => out.extend(characters.next()),
            _ => {}
        }
    }
}

fn space(characters: &mut Peekable<Chars<'_>>) {
    while characters.next_if(char::is_ascii_whitespace).is_some() {}
}

fn line(out: &mut String, depth: usize) {
    out.push('\n');
    for _ in 0..depth.min(DEPTH_MAX) {
        out.push_str("  ");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_member_has_a_line_and_keeps_its_text() {
        let json = r#"{"b":1.00,"a":[1, {"x":"a,{\"}"}],"e":{ },"n":null}"#;
        let laid_out = "{\n  \"b\": 1.00,\n  \"a\": [\n    1,\n    {\n      \"x\": \"a,{\\\"}\"\n    \
                        }\n  ],\n  \"e\": {},\n  \"n\": null\n}";
        assert_eq!(pretty(json), laid_out);
        assert_eq!(pretty(&pretty(json)), pretty(json));
    }

    #[test]
    fn what_is_cut_off_does_no_harm() {
        for cut in ["\"abc", "{\"a\\", "]]]", "[[[", ""] {
            pretty(cut);
        }
        let deep = "[".repeat(10_000);
        assert!(pretty(&deep).len() < 10_000 * (2 * DEPTH_MAX + 3));
    }
}
