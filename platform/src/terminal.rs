//! Asking for a secret on the terminal, without showing what is typed.

use std::io;

use zeroize::Zeroizing;

/// Asks `question` on the controlling terminal and reads one line without echo. `cancelled` is looked at a few times a
/// second.
///
/// # Errors
/// [`io::ErrorKind::Interrupted`] for Ctrl+C, Ctrl+D on an empty line or `cancelled`; [`io::ErrorKind::InvalidData`]
/// when what was typed is no UTF-8; otherwise there is no terminal, or this system's is not supported.
pub fn ask_secret(question: &str, cancelled: &dyn Fn() -> bool) -> io::Result<Zeroizing<String>> {
    #[cfg(unix)]
    return unix::ask_secret(question, cancelled);
    #[cfg(not(unix))]
    {
        let _ = (question, cancelled);
        Err(io::Error::new(io::ErrorKind::Unsupported, "secrets cannot be typed on this system yet"))
    }
}

#[cfg(unix)]
mod unix {
    use std::fs::File;
    use std::io::{self, Read, Write};

    use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
    use zeroize::Zeroizing;

    /// Bytes of a secret at most; more are not taken.
    const MAX_SECRET_BYTES: usize = 4096;
    const CTRL_C: u8 = 3;
    const CTRL_D: u8 = 4;
    const BACKSPACE: u8 = 8;
    const CTRL_U: u8 = 21;
    const DELETE: u8 = 127;

    pub fn ask_secret(question: &str, cancelled: &dyn Fn() -> bool) -> io::Result<Zeroizing<String>> {
        let mut terminal = File::options().read(true).write(true).open("/dev/tty")?;
        let _quiet = Quiet::begin(&terminal)?;
        terminal.write_all(question.as_bytes())?;
        let typed = read_line(&mut terminal, cancelled);
        terminal.write_all(b"\r\n")?;
        let line = typed?;
        let text = std::str::from_utf8(&line);
        text.map(|text| Zeroizing::new(text.into())).map_err(|_| io::ErrorKind::InvalidData.into())
    }

    /// The terminal without echo, giving keys one by one; as it was when dropped.
    struct Quiet {
        terminal: File,
        before: Termios,
    }

    impl Quiet {
        fn begin(terminal: &File) -> io::Result<Self> {
            let before = tcgetattr(terminal)?;
            let mut quiet = before.clone();
            // Without ISIG, Ctrl+C arrives as a key: the terminal is never left without echo.
            quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
            quiet.special_codes[SpecialCodeIndex::VMIN] = 0;
            // Tenths of a second a read waits.
            quiet.special_codes[SpecialCodeIndex::VTIME] = 2;
            tcsetattr(terminal, OptionalActions::Flush, &quiet)?;
            Ok(Self { terminal: terminal.try_clone()?, before })
        }
    }

    impl Drop for Quiet {
        fn drop(&mut self) {
            // The terminal is gone: there is nothing to put right.
            let _ = tcsetattr(&self.terminal, OptionalActions::Flush, &self.before);
        }
    }

    fn read_line(keys: &mut impl Read, cancelled: &dyn Fn() -> bool) -> io::Result<Zeroizing<Vec<u8>>> {
        // Never grows, so no copy is left behind unwiped.
        let mut line = Zeroizing::new(Vec::with_capacity(MAX_SECRET_BYTES));
        let mut key = Zeroizing::new([0; 1]);
        loop {
            if cancelled() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            match keys.read(key.as_mut()) {
                Ok(0) => continue,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            match key[0] {
                b'\n' | b'\r' => return Ok(line),
                CTRL_C => return Err(io::ErrorKind::Interrupted.into()),
                CTRL_D if line.is_empty() => return Err(io::ErrorKind::Interrupted.into()),
                CTRL_U => line.clear(),
                BACKSPACE | DELETE => remove_last_character(&mut line),
                byte if line.len() < MAX_SECRET_BYTES => line.push(byte),
                _ => {}
            }
        }
    }

    fn remove_last_character(line: &mut Vec<u8>) {
        // A character of UTF-8 ends with the bytes that continue it.
        while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn typed(keys: &[u8]) -> Option<String> {
            let line = read_line(&mut &keys[..], &|| false).ok()?;
            Some(String::from_utf8(line.to_vec()).unwrap())
        }

        #[test]
        fn keys_are_edited_as_on_any_terminal() {
            assert_eq!(typed(b"let me in\n").as_deref(), Some("let me in"));
            assert_eq!(typed("lex\u{7f}t äß\u{8}\n".as_bytes()).as_deref(), Some("let ä"));
            assert_eq!(typed(b"wrong\x15right\r").as_deref(), Some("right"));
            assert_eq!(typed(b"no\x03"), None);
            assert_eq!(typed(b"\x04"), None);
            assert_eq!(read_line(&mut &b"x"[..], &|| true).unwrap_err().kind(), io::ErrorKind::Interrupted);
        }
    }
}
