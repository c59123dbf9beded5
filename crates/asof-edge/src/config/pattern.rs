//! Patterns of paths.

/// A pattern of paths in the syntax of the matchit crate: `/files/{*path}`, `/users/{id}`.
/// What a `{*path}` stands for may also be nothing.
#[derive(Clone)]
pub struct PathPattern {
    text: String,
    router: matchit::Router<()>,
}

impl PathPattern {
    /// The pattern that `text` is.
    ///
    /// # Errors
    ///
    /// Where it is no pattern: why.
    pub fn new(text: &str) -> Result<Self, String> {
        if !text.starts_with('/') {
            return Err(format!("`{}` is no path: begin it with `/`", text.escape_debug()));
        }
        let mut router = matchit::Router::new();
        router.insert(text, ()).map_err(|error| {
            format!("`{text}` is no pattern of paths: {error}; write `/users/{{id}}` or `/files/{{*path}}`")
        })?;
        // `/files/{*path}` is everything below `/files/`, and that is below itself.
        let folder = text.find("{*").and_then(|place| text.get(..place));
        if let Some(folder) = folder.filter(|folder| folder.ends_with('/')) {
            // A pattern that has it already matches it as it is.
            let _ = router.insert(folder, ());
        }
        Ok(Self { text: text.to_owned(), router })
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a path, as it is on the wire, is one of them.
    pub fn matches(&self, path: &str) -> bool {
        self.router.at(path).is_ok()
    }
}

impl PartialEq for PathPattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl core::fmt::Debug for PathPattern {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "PathPattern({:?})", self.text)
    }
}
