//! Threads that let others go first when processors are short.

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
