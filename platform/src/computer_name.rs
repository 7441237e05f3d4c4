//! What this computer is called.

/// The system's name for this computer, or `None` where there is none that says something.
#[must_use]
pub fn computer_name() -> Option<String> {
    #[cfg(target_os = "linux")]
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    #[cfg(not(target_os = "linux"))]
    let name = std::env::var(if cfg!(windows) { "COMPUTERNAME" } else { "HOSTNAME" }).ok();
    let name = name?.trim().to_string();
    let says_nothing = name.is_empty() || name == "(none)" || name == "localhost";
    (!says_nothing).then_some(name)
}
