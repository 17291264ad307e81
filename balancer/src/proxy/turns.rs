//! Steps that take long are taken in turns: after each the thread looks at its sockets before it takes the next. So many
//! that come at once delay what is under way by one step at a time, not by all of them together.

use std::{
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::{sync::Semaphore, task::yield_now};
use tokio_util::{sync::PollSemaphore, task::TaskTracker};

/// The turns of one thread.
pub(crate) struct Turns {
    /// The one that is there, given to who has waited longest.
    turn: Arc<Semaphore>,
    tasks: TaskTracker,
}

impl Turns {
    /// `tasks`: what watches over those that nobody waits for.
    pub(crate) fn new(tasks: &TaskTracker) -> Self {
        Self { turn: Arc::new(Semaphore::new(1)), tasks: tasks.clone() }
    }

    /// A place in the queue, for work of several steps.
    pub(crate) fn queue(&self) -> Queued<'_> {
        Queued { turns: self, turn: PollSemaphore::new(Arc::clone(&self.turn)) }
    }
}

/// Work that is done in turns.
pub(crate) struct Queued<'a> {
    turns: &'a Turns,
    turn: PollSemaphore,
}

impl Queued<'_> {
    /// Takes a step when it is its turn. What the step returns is final for this turn: `Pending` waits for what the step
    /// waits for, and then for another turn.
    pub(crate) fn poll_step<T>(
        &mut self,
        cx: &mut Context<'_>,
        step: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let turn = ready!(self.turn.poll_acquire(cx));
        let taken = step(cx);
        // A task that yields goes on when the runtime has looked at the sockets.
        self.turns.tasks.spawn_local(async move {
            yield_now().await;
            drop(turn);
        });
        taken
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, future::poll_fn, rc::Rc};

    use tokio::task::LocalSet;

    use super::*;

    /// Some that take three steps each, beside one that yields as often as it likes: who came, in order.
    async fn taken(workers: usize) -> Vec<usize> {
        let (tasks, order) = (TaskTracker::new(), Rc::new(RefCell::new(Vec::new())));
        let turns = Rc::new(Turns::new(&tasks));
        let all = (0..workers).map(|worker| {
            let (turns, order) = (Rc::clone(&turns), Rc::clone(&order));
            tokio::task::spawn_local(async move {
                let (mut queued, mut left) = (turns.queue(), 3);
                poll_fn(|cx| {
                    queued.poll_step(cx, |cx| {
                        order.borrow_mut().push(worker);
                        left -= 1;
                        cx.waker().wake_by_ref();
                        if left == 0 { Poll::Ready(()) } else { Poll::Pending }
                    })
                })
                .await;
            })
        });
        let all: Vec<_> = all.collect();
        let (order_too, number) = (Rc::clone(&order), workers);
        let beside = tokio::task::spawn_local(async move {
            loop {
                order_too.borrow_mut().push(number);
                yield_now().await;
            }
        });
        for worker in all {
            worker.await.unwrap();
        }
        beside.abort();
        order.take()
    }

    #[tokio::test]
    async fn between_two_steps_the_thread_looks_at_its_sockets_and_nobody_waits_for_ever() {
        let order = LocalSet::new().run_until(taken(5)).await;
        let steps: Vec<_> = order.iter().filter(|taken| **taken < 5).collect();
        assert_eq!(steps.len(), 5 * 3);
        assert!(order.windows(2).all(|pair| pair[0] == 5 || pair[1] == 5), "no two steps between two looks: {order:?}");
        assert_eq!(steps[..5], [&0, &1, &2, &3, &4], "in the order in which they came");
    }
}
