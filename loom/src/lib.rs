//! The wake protocol under loom: a reader that sleeps is woken by whatever was published before it slept or comes after.
#![cfg(loom)]

#[allow(dead_code)]
#[path = "../../chat-core/src/engine/feed/wake.rs"]
mod wake;

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::{Context, Poll};

    use loom::future::block_on;
    use loom::sync::Arc;
    use loom::sync::atomic::{AtomicBool, Ordering};
    use loom::thread;

    use super::wake::{Head, Look, Wake};

    /// Explores every schedule with at most three preemptions: where bugs of this kind live, and seconds instead of hours.
    fn check(model: impl Fn() + Sync + Send + 'static) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(3);
        builder.check(model);
    }

    /// The production reader: sleeps until there is more than `seen`. Loom reports a deadlock where a wake-up is lost.
    fn read_to(wake: &Wake, head: &Head, last: u64) {
        let mut seen = 0;
        while seen < last {
            seen = block_on(poll_fn(|cx| wake.poll(cx, || look(head, seen, Look::Some))));
        }
    }

    fn look(head: &Head, seen: u64, found: impl FnOnce(u64) -> Look<u64>) -> Look<u64> {
        Some(head.seq()).filter(|&seq| seq > seen).map_or(Look::Nothing, found)
    }

    /// As [`read_to`], by a reader that has seen all there was, and looks again only when something is new.
    fn read_all_to(wake: &Wake, head: &Head, last: u64) {
        let (mut seen, mut is_all) = (0, false);
        while seen < last {
            seen = block_on(poll_fn(|cx| {
                if is_all && wake.is_quiet(cx) {
                    return Poll::Pending;
                }
                wake.poll(cx, || look(head, seen, Look::All))
            }));
            is_all = true;
        }
    }

    #[test]
    fn a_reader_sees_everything_one_writer_publishes() {
        publish_to(read_to);
    }

    #[test]
    fn a_reader_that_does_not_look_twice_sees_it_too() {
        publish_to(read_all_to);
    }

    fn publish_to(read: fn(&Wake, &Head, u64)) {
        check(move || {
            let shared = Arc::new((Wake::new(), Head::new(0)));
            let writer = {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    for seq in 1..=2 {
                        shared.1.publish(seq);
                        shared.0.wake();
                    }
                })
            };
            read(&shared.0, &shared.1, 2);
            writer.join().unwrap();
        });
    }

    #[test]
    fn a_reader_of_two_rooms_misses_neither() {
        check(|| {
            let shared = Arc::new((Wake::new(), Head::new(0), Head::new(0)));
            let writer = |first: bool| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    if first {
                        shared.1.publish(1)
                    } else {
                        shared.2.publish(1)
                    }
                    shared.0.wake();
                })
            };
            let (one, two) = (writer(true), writer(false));
            block_on(poll_fn(|cx| {
                shared.0.poll(cx, || match (shared.1.seq(), shared.2.seq()) {
                    (1, 1) => Look::Some(()),
                    _ => Look::Nothing,
                })
            }));
            one.join().unwrap();
            two.join().unwrap();
        });
    }

    /// What `Wake::poll` would be with a plain store where it has a swap: the model checker must find the lost wake-up, or it
    /// proves nothing about the real one.
    fn poll_with_a_plain_store<T>(
        awake: &AtomicBool,
        waker: &loom::future::AtomicWaker,
        cx: &Context<'_>,
        look: impl FnOnce() -> Option<T>,
    ) -> Poll<T> {
        waker.register_by_ref(cx.waker());
        awake.store(false, Ordering::Release);
        look().map_or(Poll::Pending, Poll::Ready)
    }

    /// Notes that it was called, so that a lost wake-up is a failed assertion.
    struct Noted(AtomicBool);

    impl std::task::Wake for Noted {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.store(true, Ordering::Release);
        }
    }

    #[test]
    #[should_panic(expected = "published, not seen, and nobody was woken")]
    fn a_plain_store_loses_a_wake_up() {
        check(|| {
            let shared = Arc::new((AtomicBool::new(true), loom::future::AtomicWaker::new(), Head::new(0)));
            let writer = {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    shared.2.publish(1);
                    if !shared.0.swap(true, Ordering::AcqRel) {
                        shared.1.wake();
                    }
                })
            };
            let noted = std::sync::Arc::new(Noted(AtomicBool::new(false)));
            let waker = std::task::Waker::from(std::sync::Arc::clone(&noted));
            let look = || Some(()).filter(|()| shared.2.seq() == 1);
            let seen = poll_with_a_plain_store(&shared.0, &shared.1, &Context::from_waker(&waker), look).is_ready();
            writer.join().unwrap();
            let woken = noted.0.load(Ordering::Acquire);
            assert!(seen || woken, "published, not seen, and nobody was woken");
        });
    }
}
