//! Memory of this process: how much is resident, and how to keep it small.
//!
//! Measured with glibc's allocator: with one arena, and all of it trimmed when work ends, an idle drive is smallest; and buffers that
//! are not mapped anew each time spare the page faults that were half of what a large write cost (526 to 766 MiB/s). A second
//! arena is never trimmed at its top. Other allocators keep their bursts.

/// Bytes of this process in physical memory, or `None` where the system does not tell.
#[must_use]
pub fn resident_bytes() -> Option<u64> {
    #[cfg(target_os = "linux")]
    return linux::resident_bytes();
    #[cfg(not(target_os = "linux"))]
    None
}

/// Settings of the allocator that keep an idle process small. Call it first, before any thread starts.
pub fn tune_allocator() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    gnu::tune();
}

/// Gives freed memory back to the system. Takes milliseconds: call it some seconds after activity ends.
pub fn release_unused() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    gnu::trim();
}

#[cfg(target_os = "linux")]
mod linux {
    pub fn resident_bytes() -> Option<u64> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kibibytes << 10)
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod gnu {
    /// Small requests are served from each thread's own cache; large ones are too few to stand in each other's way.
    const ARENAS: i32 = 1;
    /// Buffers from this size on get a mapping of their own, which goes away when they are freed: no chunk, window or request is
    /// so large, so that these are reused.
    const OWN_MAPPING_BYTES: i32 = 16 << 20;
    /// Free bytes at the top of the heap from which on it shrinks by itself, in the middle of work.
    const TRIM_BYTES: i32 = 64 << 20;

    #[allow(
        unsafe_code,
        reason = "mallopt has no safe wrapper; it takes two numbers and touches no memory of ours"
    )]
    pub fn tune() {
        let settings = [
            (libc::M_ARENA_MAX, ARENAS),
            (libc::M_MMAP_THRESHOLD, OWN_MAPPING_BYTES),
            (libc::M_TRIM_THRESHOLD, TRIM_BYTES),
        ];
        for (setting, value) in settings {
            // SAFETY: any setting and value are allowed; an unknown one is refused by the return value.
            if unsafe { libc::mallopt(setting, value) } == 0 {
                tracing::debug!(setting, value, "the allocator refused a setting");
            }
        }
    }

    #[allow(
        unsafe_code,
        reason = "malloc_trim has no safe wrapper; it only returns pages the allocator holds free"
    )]
    pub fn trim() {
        // SAFETY: may be called at any time on any thread; live allocations are not moved.
        unsafe { libc::malloc_trim(0) };
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_follows_use() {
        tune_allocator();
        let before = resident_bytes().unwrap();
        let block = std::hint::black_box(vec![7u8; 32 << 20]);
        let during = resident_bytes().unwrap();
        assert!(during >= before + (16 << 20), "{before} {during}");
        drop(block);
        release_unused();
        assert!(resident_bytes().unwrap() < during);
    }
}
