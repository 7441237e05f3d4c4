//! The processors: how much of them this process used, and threads that let others go first when they are short.

use std::time::Duration;

/// Time that all threads of this process spent on processors since its start, or `None` where the system does not tell.
#[must_use]
pub fn time_used() -> Option<Duration> {
    #[cfg(unix)]
    {
        let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        Some(Duration::new(u64::try_from(used.tv_sec).ok()?, u32::try_from(used.tv_nsec).ok()?))
    }
    #[cfg(not(unix))]
    None
}

/// Lets the other threads of this computer go first from now on, where the system knows such a thing. For the thread that calls and those
/// it starts.
///
/// Copying to other computers can wait, a program that writes to the drive cannot: with one processor for both, this is the
/// difference between 0.77 and the whole of what the same drive writes alone. A processor that has nothing else to do is used all
/// the same.
pub fn let_others_go_first() {
    #[cfg(target_os = "linux")]
    linux::lower();
}

#[cfg(target_os = "linux")]
mod linux {
    /// About a tenth of a processor while a thread of the usual niceness wants all of it (`sched_prio_to_weight` of Linux: 110 to
    /// 1024).
    const NICENESS: i32 = 10;

    pub fn lower() {
        let lowered = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS);
        if let Err(error) = lowered {
            tracing::debug!(%error, "a thread keeps its priority");
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn only_the_thread_that_asked_gives_way() {
            let niceness = || rustix::process::getpriority_process(Some(rustix::thread::gettid())).unwrap();
            let before = niceness();
            let lowered = std::thread::spawn(move || {
                lower();
                niceness()
            });
            assert_eq!(lowered.join().unwrap(), NICENESS.max(before));
            assert_eq!(niceness(), before);
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn time_used_grows_with_work() {
        let before = time_used().unwrap();
        let mut sum = 0_u64;
        while time_used().unwrap() < before + Duration::from_millis(5) {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(sum > 0);
    }
}
