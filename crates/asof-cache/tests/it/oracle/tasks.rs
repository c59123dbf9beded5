//! Many requests at once in one thread, in an order that a seed decides.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::seed::Seed;

type Task = Pin<Box<dyn Future<Output = ()>>>;

#[derive(Clone, Default)]
pub(crate) struct Tasks {
    spawned: Rc<RefCell<Vec<Task>>>,
}

impl Tasks {
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.spawned.borrow_mut().push(Box::pin(task));
    }

    /// Polls whatever is there, in random order, with `between` in between, until nothing is
    /// left. False if something never ends.
    pub(crate) fn run(&self, seed: &mut Seed, mut between: impl FnMut(&mut Seed)) -> bool {
        let mut running: Vec<Task> = Vec::new();
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..200_000 {
            running.append(&mut self.spawned.borrow_mut());
            if running.is_empty() {
                return true;
            }
            let which = usize::try_from(seed.below(running.len() as u64)).unwrap();
            if running[which].as_mut().poll(&mut context).is_ready() {
                drop(running.swap_remove(which));
            }
            if seed.once_in(4) {
                between(seed);
            }
        }
        false
    }
}

/// Lets others go on.
pub(crate) fn elsewhere() -> impl Future<Output = ()> {
    let mut been = false;
    std::future::poll_fn(move |_| {
        if been {
            return Poll::Ready(());
        }
        been = true;
        Poll::Pending
    })
}

/// Waits for both at once.
pub(crate) async fn both<A, B>(
    left: impl Future<Output = A>,
    right: impl Future<Output = B>,
) -> (A, B) {
    let (mut left, mut right) = (Box::pin(left), Box::pin(right));
    let (mut one, mut other) = (None, None);
    std::future::poll_fn(move |context| {
        if one.is_none()
            && let Poll::Ready(done) = left.as_mut().poll(context)
        {
            one = Some(done);
        }
        if other.is_none()
            && let Poll::Ready(done) = right.as_mut().poll(context)
        {
            other = Some(done);
        }
        if one.is_none() || other.is_none() {
            return Poll::Pending;
        }
        Poll::Ready((one.take().unwrap(), other.take().unwrap()))
    })
    .await
}
