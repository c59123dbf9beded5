//! The pages of the console: view models in, HTML out.
//!
//! Pure and synchronous: nothing here knows of sockets, clocks or the store. `asof-server` fills
//! the models of [`page`] from the store and says which headers go with them. Texts that strangers
//! chose pass through [`text::Shown`] and are escaped by the template; a test puts a hostile one
//! into every field of every page.

pub mod assets;
pub mod calendar;
pub mod density;
pub mod diff;
pub mod frame;
pub mod page;
pub mod picture;
pub mod pretty;
pub mod text;

mod filters;

/// The text of a template.
fn render(template: &impl askama::Template) -> String {
    // What is written into a string, by models that do not fail, does not fail.
    template.render().unwrap_or_default()
}
