//! Many requests at once in one thread, in an order that a seed decides.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::seed::Seed;

/// A future of one thread.
pub(crate) type Local<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Steps after which somebody is taken to wait for ever.
const STEPS_MAX: usize = 100_000;

/// What is under way.
#[derive(Clone, Default)]
pub(crate) struct Tasks(Rc<RefCell<Vec<Local<'static, ()>>>>);

impl Tasks {
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.0.borrow_mut().push(Box::pin(task));
    }

    /// Polls whatever there is, in random order, with `between` in between, until nothing is left.
    /// False if something never ends.
    pub(crate) fn run(&self, seed: &Seed, mut between: impl FnMut()) -> bool {
        let mut running: Vec<Local<'static, ()>> = Vec::new();
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..STEPS_MAX {
            running.append(&mut self.0.borrow_mut());
            let which = seed.index(running.len());
            let Some(task) = running.get_mut(which) else { return true };
            if task.as_mut().poll(&mut context).is_ready() {
                drop(running.swap_remove(which));
            }
            between();
        }
        false
    }
}

/// Lets others go on.
pub(crate) fn elsewhere() -> impl Future<Output = ()> {
    let mut been = false;
    std::future::poll_fn(move |_| {
        if core::mem::replace(&mut been, true) { Poll::Ready(()) } else { Poll::Pending }
    })
}

/// The outcome of a future that waits for nobody.
///
/// # Panics
///
/// Where it does.
pub(crate) fn at_once<T>(mut future: Local<'_, T>) -> T {
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("what is true is known at once"),
    }
}
