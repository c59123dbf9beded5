//! What pages need beside their HTML, compiled in. Nothing is fetched from elsewhere.

/// A file that pages ask for.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    /// Its name below the folder of the build.
    pub name: &'static str,
    /// Its media type.
    pub media_type: &'static str,
    /// What is in it.
    pub text: &'static str,
}

/// All of them.
pub const ASSETS: &[Asset] = &[
    Asset {
        name: "console.css",
        media_type: "text/css; charset=utf-8",
        text: include_str!("../assets/console.css"),
    },
    Asset {
        name: "console.js",
        media_type: "text/javascript; charset=utf-8",
        text: include_str!("../assets/console.js"),
    },
    Asset {
        name: "icon.svg",
        media_type: "image/svg+xml",
        text: include_str!("../assets/icon.svg"),
    },
];

/// What decides how a page looks, besides the program's version: the templates. Whoever names a
/// build takes them in, so that a page of another look has another URL.
pub const TEMPLATES: &[&str] = &[
    include_str!("../templates/act.html"),
    include_str!("../templates/audit.html"),
    include_str!("../templates/base.html"),
    include_str!("../templates/cap.html"),
    include_str!("../templates/commit.html"),
    include_str!("../templates/density.svg"),
    include_str!("../templates/diff.html"),
    include_str!("../templates/edges.html"),
    include_str!("../templates/key.html"),
    include_str!("../templates/log.html"),
    include_str!("../templates/login.html"),
    include_str!("../templates/overview.html"),
    include_str!("../templates/parts.html"),
    include_str!("../templates/pins.html"),
    include_str!("../templates/plan.html"),
    include_str!("../templates/refused.html"),
    include_str!("../templates/release.html"),
    include_str!("../templates/releases.html"),
    include_str!("../templates/space.html"),
    include_str!("../templates/tree.html"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_part_of_the_build() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/templates");
        let files = std::fs::read_dir(folder).unwrap().count();
        assert_eq!(files, TEMPLATES.len());
    }

    #[test]
    fn nothing_is_fetched_from_elsewhere() {
        let texts = TEMPLATES.iter().chain(ASSETS.iter().map(|asset| &asset.text));
        for text in texts {
            let text = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!text.contains("http:") && !text.contains("https:") && !text.contains("//\""));
            assert!(!text.contains("style=") && !text.contains("<style"), "{text}");
            assert!(!text.contains(" on") || !text.contains("onclick="), "{text}");
        }
    }
}
