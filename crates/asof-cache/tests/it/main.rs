//! The cache against an oracle that caches nothing.

#[cfg(test)]
mod oracle;
