//! The cache against an oracle that caches nothing, and its rules one by one.

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod rules;
