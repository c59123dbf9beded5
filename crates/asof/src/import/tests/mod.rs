//! Imports, from source to store.
