//! What can be typed.

mod hours;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::answers::Scope;
use crate::units::{ByteRate, ByteSize};

pub use hours::{AddHours, HoursCommand};

/// One encrypted drive out of the spare space of computers you trust.
#[derive(Debug, Parser)]
#[command(
    name = "peerdrive",
    version,
    about = "One encrypted drive out of the spare space of computers you trust",
    after_help = "Begin with:\n  peerdrive up             make the drive and mount it at ~/PeerDrive\n  \
                  peerdrive status         see how it is\n  \
                  peerdrive history FILE   see what a file was\n\n\
                  Exit codes: 0 done, 1 failed, 2 wrong use, 3 no daemon"
)]
pub struct Arguments {
    /// Data folder of the daemon meant; several daemons on one computer have one each
    #[arg(long, env = "PEERDRIVE_DATA", global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Answer in JSON with stable names, for scripts
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start the daemon and mount the drive; the first start makes both
    #[command(after_help = "Examples:\n  peerdrive up\n  peerdrive up /mnt/drive --contribute 50G\n  \
                            peerdrive up --passphrase-file ~/secret   (keys sealed by a passphrase)\n\n\
                            Stays in the foreground and prints `ready` when the drive answers. Ctrl+C stops it: \
                            everything is stored, the drive is unmounted.")]
    Up(UpArguments),
    /// Stop the daemon: store everything, unmount
    Down,
    /// Show how the drive and this computer are, or what would be lost with some computers
    #[command(after_help = "Examples:\n  peerdrive status\n  peerdrive status --if-lost attic\n  \
                            peerdrive status --if-lost attic laptop    (both at once)")]
    Status {
        /// Which files would be gone, or down to one copy, if these devices died now
        #[arg(long, value_name = "DEVICE", num_args = 1..)]
        if_lost: Vec<String>,
    },
    /// List the devices of the drive, rename one, take one out, or say that one is lost
    #[command(after_help = "Examples:\n  peerdrive devices\n  peerdrive devices rename X3K9QRT attic\n  \
                            peerdrive devices revoke attic\n  peerdrive devices lost attic\n\nA device is named by its id, \
                            the beginning of it, or its name. Revoking gives those that stay new keys; what the device could read \
                            before, it keeps. What is lost stays a member: its copies are made anew elsewhere at once, and not only \
                            after a day.")]
    Devices {
        /// What to do with one.
        #[command(subcommand)]
        command: Option<DevicesCommand>,
    },
    /// Invite another computer: prints a code to type there
    #[command(
        after_help = "Examples:\n  peerdrive invite                  another computer of yours, on this network\n  \
                            peerdrive invite --role writer    somebody else, who may change files\n  \
                            peerdrive invite --role host      a computer that keeps sealed data and can read none of it\n  \
                            peerdrive invite --ticket         a computer that is not on this network\n\n\
                            A code works once and for ten minutes; three wrong tries end it."
    )]
    Invite {
        /// Invite another person, as this: owner, admin, writer, reader; or host [default: a computer of your own]
        #[arg(long, value_parser = ["owner", "admin", "writer", "reader", "host"])]
        role: Option<String>,
        /// Print a ticket for a computer elsewhere, good for a day
        #[arg(long)]
        ticket: bool,
    },
    /// Join the drive of another computer with the code or ticket it printed
    #[command(
        after_help = "Examples:\n  peerdrive join 7-amber-falcon\n  peerdrive join 7-amber-falcon --peer 192.168.1.20:7338\n  \
                            peerdrive join --phrase-file words.txt --peer 192.168.1.20:7338   \
                            (all your computers are gone; a host is left)\n\nThis computer's own drive must be empty: \
                            it is given up for the joined one, which shows at the same mountpoint."
    )]
    Join {
        /// What `peerdrive invite` printed there
        #[arg(required_unless_present = "phrase_file", conflicts_with = "phrase_file")]
        code: Option<String>,
        /// File with your 24 words, when every computer of yours is gone
        #[arg(long, value_name = "FILE", requires = "peer")]
        phrase_file: Option<PathBuf>,
        /// Address of the other computer, when it is not found by itself
        #[arg(long, value_name = "ADDR")]
        peer: Option<SocketAddr>,
    },
    /// Take this computer out of the drive, when the others have taken over what it holds
    #[command(after_help = "Examples:\n  peerdrive leave             hand everything over, then go\n  \
                            peerdrive leave --cancel    stay after all\n  \
                            peerdrive leave --now       go at once; refused if something would be lost\n\n\
                            The others make the copies that this computer had; that takes a while, and everything goes on \
                            working meanwhile. After Ctrl+C it goes on, and `peerdrive leave` watches it again. Then the daemon \
                            ends, and what was here is put aside in the data folder: nothing is deleted.")]
    Leave {
        /// Go at once, if everything is on another computer too
        #[arg(long, conflicts_with = "cancel")]
        now: bool,
        /// With --now: go though something is on this computer alone; the others then lose it
        #[arg(long, requires = "now")]
        lose: bool,
        /// Stay after all
        #[arg(long)]
        cancel: bool,
    },
    /// Show what changed in the drive, newest first
    #[command(after_help = "Example:\n  peerdrive log --limit 200")]
    Log {
        /// How many lines
        #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000))]
        limit: u64,
    },
    /// List the versions of a file, of deleted ones too
    #[command(after_help = "Example:\n  peerdrive history ~/PeerDrive/letter.odt")]
    History {
        /// A path in the mounted drive, or inside the drive
        path: PathBuf,
    },
    /// Bring back an earlier state of a file
    #[command(after_help = "Examples:\n  peerdrive restore letter.odt --at 2h\n  \
                            peerdrive restore letter.odt --at \"2026-11-20 13:45\" --to letter-old.odt\n  \
                            peerdrive restore letter.odt --at VERSION   (an id of `peerdrive history`)")]
    Restore {
        /// A path in the mounted drive, or inside the drive; it may be deleted
        path: PathBuf,
        /// A version's id, or a time: `2h`, `3d ago`, `yesterday`, `2026-11-20 13:45`
        #[arg(long, value_name = "VERSION|TIME")]
        at: String,
        /// Put it there instead of in its place
        #[arg(long, value_name = "PATH")]
        to: Option<PathBuf>,
    },
    /// List files that were changed on two computers at once, or choose a version
    #[command(
        after_help = "Examples:\n  peerdrive conflicts\n  peerdrive conflicts resolve plan.txt VERSION\n\n\
                            The latest version opens until you choose; the others stay in `peerdrive history`."
    )]
    Conflicts {
        /// What to do with one.
        #[command(subcommand)]
        command: Option<ConflictsCommand>,
    },
    /// Show where the content of a file is
    Where {
        /// A path in the mounted drive, or inside the drive
        path: PathBuf,
    },
    /// Wait until changes are safe on enough computers, or known to all
    #[command(
        after_help = "A drive on one computer alone is never safe: --safe then says so and exits with 1."
    )]
    Wait {
        /// Until everything is on enough computers (this is the default)
        #[arg(long, conflicts_with = "synced")]
        safe: bool,
        /// Until all devices know all changes
        #[arg(long)]
        synced: bool,
        /// Only this file
        path: Option<PathBuf>,
    },
    /// Read and verify everything that is stored
    #[command(
        after_help = "Example:\n  peerdrive scrub --rate 20M\n\nThe daemon does it: after Ctrl+C it goes on, \
                            `peerdrive scrub` watches it again, and `peerdrive scrub --stop` ends it."
    )]
    Scrub {
        /// End the one that runs
        #[arg(long, conflicts_with = "rate")]
        stop: bool,
        /// Read this much per second at most
        #[arg(long, value_name = "RATE")]
        rate: Option<ByteRate>,
    },
    /// Look for what is wrong, and say what to do; works without a daemon too
    Doctor,
    /// Say how much of this computer's disk the drive may use
    #[command(
        after_help = "Examples:\n  peerdrive contribute 100G\n  peerdrive contribute 100G --reserve 20G\n  \
                            peerdrive contribute 100G --up 1M"
    )]
    Contribute(ContributeArguments),
    /// Other speed limits at some hours of the week: show them, add some, take some away
    #[command(
        after_help = "Examples:\n  peerdrive hours\n  peerdrive hours add --days mon-fri --from 08:00 --to 18:00 --up 1M\n  \
                            peerdrive hours add --from 23:00 --to 06:00 --up off --down off   (no limits at night)\n  \
                            peerdrive hours remove 2\n\nThey hold at once and are kept. Where two overlap, the upper one counts; at all other \
                            hours the limits of `peerdrive contribute --up --down` hold."
    )]
    Hours {
        /// What to change; without it they are shown.
        #[command(subcommand)]
        command: Option<HoursCommand>,
    },
    /// Open the panel: prints a link for a browser on this computer
    #[command(
        after_help = "Examples:\n  peerdrive panel --open\n  peerdrive panel --scope read   (for somebody who looks on)\n\n\
                            A link opens one browser, once, within an hour."
    )]
    Panel {
        /// Open it in the browser at once
        #[arg(long)]
        open: bool,
        /// What whoever opens it may: see everything, change files too, or everything
        #[arg(long, value_parser = parsed_scope, default_value = "admin", value_name = "read|write|admin")]
        scope: Scope,
    },
    /// Tokens for other programs, each of which may so much and no more
    #[command(subcommand)]
    Token(TokenCommand),
    /// What holds for all computers of the drive
    #[command(subcommand)]
    Workspace(WorkspaceCommand),
    /// Your keys: passphrase, recovery phrase, locking
    #[command(subcommand)]
    Keys(KeysCommand),
    /// List whose work is in the program, or print the licence of one
    #[command(
        after_help = "Examples:\n  peerdrive licences\n  peerdrive licences axum\n  peerdrive licences peerdrive   (its own)"
    )]
    Licences {
        /// A name of the list
        name: Option<String>,
    },
    /// Print a script that completes commands in your shell
    #[command(
        after_help = "Example:\n  peerdrive completions bash > ~/.local/share/bash-completion/completions/peerdrive"
    )]
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// `conflicts`.
#[derive(Debug, Subcommand)]
pub enum ConflictsCommand {
    /// Choose the version that opens from now on
    Resolve {
        /// A path in the mounted drive, or inside the drive
        path: PathBuf,
        /// A version's id, as `peerdrive conflicts` shows it
        version: String,
    },
}

/// `devices`.
#[derive(Debug, Subcommand)]
pub enum DevicesCommand {
    /// Give a device another name
    Rename {
        /// Its id, the beginning of it, or its name
        device: String,
        /// The new name
        name: String,
    },
    /// Take a device out of the drive: it gets nothing more
    Revoke {
        /// Its id, the beginning of it, or its name
        device: String,
    },
    /// Say that a device will not come back: its copies are made anew elsewhere at once
    Lost {
        /// Its id, the beginning of it, or its name
        device: String,
    },
    /// Take that back; a device that comes back by itself does so too
    Found {
        /// Its id, the beginning of it, or its name
        device: String,
    },
}

/// `token`.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make one; its text is printed this once
    #[command(
        after_help = "Examples:\n  peerdrive token create backup --scope write\n  peerdrive token create monitoring\n\n\
                            read: see everything; write: change files too; admin: everything. It is sent as \
                            `Authorization: Bearer TOKEN`, and good for this drive alone."
    )]
    Create {
        /// What it is for
        name: String,
        /// What it may
        #[arg(long, value_parser = parsed_scope, default_value = "read", value_name = "read|write|admin")]
        scope: Scope,
    },
    /// List them
    List,
    /// End one, at once
    Revoke {
        /// Its name or number
        token: String,
    },
}

fn parsed_scope(text: &str) -> Result<Scope, String> {
    match text {
        "read" => Ok(Scope::Read),
        "write" => Ok(Scope::Write),
        "admin" => Ok(Scope::Admin),
        _ => Err("it is read, write or admin".into()),
    }
}

/// `workspace`.
#[derive(Debug, Subcommand)]
pub enum WorkspaceCommand {
    /// Show or decide how many copies are kept, and what an fsync waits for
    #[command(
        after_help = "Examples:\n  peerdrive workspace policy\n  peerdrive workspace policy --copies 4\n  \
                            peerdrive workspace policy --fsync \"replicas(2)\"   (a database that must survive this computer)\n\n\
                            It holds for all computers of the drive; owners and admins decide."
    )]
    Policy(PolicyArguments),
}

/// `workspace policy`.
#[derive(Debug, Args)]
pub struct PolicyArguments {
    /// Copies wanted of everything
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(2..=8))]
    pub copies: Option<u8>,
    /// So many count as safe where there are not enough computers for more
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(2..=8))]
    pub min: Option<u8>,
    /// Computers beyond so many give their copies up [default: moves along with --copies]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(2..=8))]
    pub max: Option<u8>,
    /// What an fsync waits for: this computer's disk, or K computers
    #[arg(long, value_name = "local|replicas(K)")]
    pub fsync: Option<String>,
}

/// `up`.
#[derive(Debug, Default, Args)]
pub struct UpArguments {
    /// Where to mount the drive [default: ~/PeerDrive]
    pub mountpoint: Option<PathBuf>,
    /// Name of this computer, as others see it; kept
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// How much of the disk the drive may use [first start: 10% of what is free]; kept
    #[arg(long, value_name = "SIZE")]
    pub contribute: Option<ByteSize>,
    /// Copies wanted of everything in a drive that this start makes [default: 3]; later: `peerdrive workspace policy`
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(2..=8))]
    pub target: Option<u8>,
    /// Address for other computers [default: port 7338, or another if taken]; kept
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// Do not look for other computers on this network
    #[arg(long)]
    pub no_discovery: bool,
    /// Address of panel and API, on loopback [default: 127.0.0.1:7337, or another port if taken]; `off`: no panel,
    /// and a port of its own for the commands
    #[arg(long, value_name = "ADDR|off")]
    pub panel: Option<Panel>,
    /// Do not mount; the commands work all the same
    #[arg(long, conflicts_with = "mountpoint")]
    pub no_mount: bool,
    /// Let other users of this computer see the drive, as its mode bits allow
    #[arg(long)]
    pub allow_other: bool,
    /// Keep the owner of each file as set; otherwise all is shown as yours
    #[arg(long)]
    pub posix_owners: bool,
    /// File whose first line is the passphrase of the keys; `-`: standard input
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// What to log to standard error: off, error, warn, info, debug or trace [default: warn]
    #[arg(long, value_name = "LEVEL")]
    pub log: Option<LogLevel>,
}

/// `contribute`.
#[derive(Debug, Args)]
#[command(arg_required_else_help = false)]
pub struct ContributeArguments {
    /// The most the drive may use; without any argument, what holds now is shown
    pub size: Option<ByteSize>,
    /// What must stay free on the disk
    #[arg(long, value_name = "SIZE")]
    pub reserve: Option<ByteSize>,
    /// Send to others at most this much per second, or `off`
    #[arg(long, value_name = "RATE")]
    pub up: Option<ByteRate>,
    /// Receive from others at most this much per second, or `off`
    #[arg(long, value_name = "RATE")]
    pub down: Option<ByteRate>,
}

/// `keys`.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Set or change the passphrase that opens your keys at each start; --remove: do without
    #[command(
        after_help = "Asks on the terminal for what is not given in a file. The content of the drive is not \
                            encrypted anew: the passphrase seals the keys only."
    )]
    Passphrase {
        /// File whose first line is the present passphrase
        #[arg(long, value_name = "FILE")]
        old_passphrase_file: Option<PathBuf>,
        /// File whose first line is the new one
        #[arg(long, value_name = "FILE", conflicts_with = "remove")]
        new_passphrase_file: Option<PathBuf>,
        /// Do without a passphrase: whoever uses your account opens the drive
        #[arg(long)]
        remove: bool,
    },
    /// Show the 24 words that rebuild your keys: write them on paper
    Recovery {
        /// File whose first line is the passphrase, if you have one
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
    },
    /// Stop the daemon so that only the passphrase opens the drive again
    Lock,
    /// Rebuild your keys from the 24 words, when the passphrase is forgotten; the daemon must be down
    Recover {
        /// File with the 24 words
        #[arg(long, value_name = "FILE")]
        phrase_file: Option<PathBuf>,
        /// File whose first line is the new passphrase; without it the keys have none
        #[arg(long, value_name = "FILE")]
        new_passphrase_file: Option<PathBuf>,
    },
}

/// Where the panel listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Panel {
    /// No panel.
    Off,
    /// There.
    At(SocketAddr),
}

impl FromStr for Panel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self::Off);
        }
        let wrong = || "write an address with its port like 127.0.0.1:7337, or off".to_string();
        let address: SocketAddr = text.parse().map_err(|_| wrong())?;
        if address.ip().is_loopback() {
            Ok(Self::At(address))
        } else {
            Err("the panel answers this computer only: use an address like 127.0.0.1:7337".into())
        }
    }
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the variants say what they are")]
pub enum LogLevel {
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl LogLevel {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Off, "off"),
        (Self::Error, "error"),
        (Self::Warn, "warn"),
        (Self::Info, "info"),
        (Self::Debug, "debug"),
        (Self::Trace, "trace"),
    ];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(level, _)| *level == self).map_or("warn", |(_, word)| word)
    }
}

impl FromStr for LogLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(_, word)| word.eq_ignore_ascii_case(text));
        found.map(|(level, _)| *level).ok_or_else(|| "it is off, error, warn, info, debug or trace".into())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parsed(typed: &[&str]) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(["peerdrive"].iter().chain(typed))
    }

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn up_takes_what_was_promised() {
        let typed = "up /mnt/d --data /d --name box --listen 0.0.0.0:4000 --panel off --contribute 10G --target 2 \
                     --no-discovery --allow-other --posix-owners --log debug";
        let arguments = parsed(&typed.split_whitespace().collect::<Vec<_>>()).unwrap();
        assert_eq!(arguments.data, Some("/d".into()));
        let Command::Up(up) = arguments.command else { panic!("up is up") };
        assert_eq!(up.mountpoint, Some("/mnt/d".into()));
        assert_eq!(up.contribute, Some(ByteSize(10 << 30)));
        assert_eq!((up.panel, up.target, up.log), (Some(Panel::Off), Some(2), Some(LogLevel::Debug)));
        assert!(up.no_discovery && up.allow_other && up.posix_owners && !up.no_mount);
        assert!(parsed(&["up", "--no-mount"]).is_ok());
    }

    #[test]
    fn data_and_json_may_stand_anywhere() {
        for typed in [["--json", "--data", "/d", "status"], ["status", "--data", "/d", "--json"]] {
            let arguments = parsed(&typed).unwrap();
            assert!(arguments.json && arguments.data.is_some());
        }
    }

    #[test]
    fn wrong_use_is_refused() {
        for typed in [
            &["status", "x"][..],
            &["restore", "f"],
            &["history"],
            &["up", "--panel", "0.0.0.0:80"],
            &["up", "--panel", "nowhere"],
            &["up", "--contribute", "many"],
            &["up", "--log", "loud"],
            &["up", "--target", "1"],
            &["up", "--target", "9"],
            &["hours", "add", "--from", "08:00", "--to", "18:00"],
            &["hours", "add", "--from", "08:00", "--to", "18:00", "--days", "monday", "--up", "1M"],
            &["hours", "add", "--from", "08:00", "--up", "1M"],
            &["hours", "remove"],
            &["hours", "remove", "0"],
            &["workspace"],
            &["workspace", "policy", "--copies", "1"],
            &["devices", "lost"],
            &["up", "/mnt", "--no-mount"],
            &["wait", "--safe", "--synced"],
            &["join"],
            &["leave", "--lose"],
            &["status", "--if-lost"],
            &["leave", "--now", "--cancel"],
            &["join", "--phrase-file", "f"],
            &["invite", "--role", "king"],
            &[],
        ] {
            assert!(parsed(typed).is_err(), "{typed:?}");
        }
    }

    #[test]
    fn every_command_has_help() {
        for command in Arguments::command().get_subcommands() {
            assert!(command.get_about().is_some(), "{}", command.get_name());
        }
    }
}
