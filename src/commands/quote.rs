//! Arguments as one line that a shell would read back.

use std::ffi::CStr;

pub fn command_line<'a>(arguments: impl Iterator<Item = &'a CStr>) -> Vec<u8> {
    let mut line = Vec::new();
    for argument in arguments {
        if !line.is_empty() {
            line.push(b' ');
        }
        quote(argument.to_bytes(), &mut line);
    }
    line
}

fn quote(argument: &[u8], line: &mut Vec<u8>) {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-./:,=+@%".contains(byte);
    if !argument.is_empty() && argument.iter().all(plain) {
        line.extend_from_slice(argument);
    } else if argument.iter().any(u8::is_ascii_control) {
        // A line break would end the line, a tab the column.
        line.extend_from_slice(b"$'");
        for &byte in argument {
            match byte {
                b'\n' => line.extend_from_slice(b"\\n"),
                b'\t' => line.extend_from_slice(b"\\t"),
                b'\\' | b'\'' => line.extend_from_slice(&[b'\\', byte]),
                // Three digits at most: what follows is another character's.
                _ if byte.is_ascii_control() => line.extend_from_slice(format!("\\{byte:03o}").as_bytes()),
                _ => line.push(byte),
            }
        }
        line.push(b'\'');
    } else {
        line.push(b'\'');
        for &byte in argument {
            match byte {
                b'\'' => line.extend_from_slice(br"'\''"),
                _ => line.push(byte),
            }
        }
        line.push(b'\'');
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::{CStr, CString};
    use std::process::Command;

    fn shown(arguments: &[&str]) -> String {
        let arguments: Vec<CString> = arguments.iter().map(|&argument| CString::new(argument).unwrap()).collect();
        let line = super::command_line(arguments.iter().map(|argument| -> &CStr { argument }));
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn plain_arguments_stay_as_they_are() {
        assert_eq!(shown(&["/bin/echo", "-n", "a=b,c:d@e%f+g_h"]), "/bin/echo -n a=b,c:d@e%f+g_h");
    }

    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        let hostile =
            ["", " ", "it's", "$HOME `id` \"x\" \\", "tab\tline\nend", "\u{1}9\u{7f}'\\", "ümläut", "*?[]~#&;|<>(){}!"];
        let line = shown(&hostile);
        assert_eq!(line.lines().count(), 1);
        let script = format!("printf '<%s>' {line}");
        let Ok(read_back) = Command::new("bash").args(["-c", &script]).output() else {
            return eprintln!("SKIPPED a_shell_reads_back_what_was_quoted: bash is not installed");
        };
        let expected: String = hostile.iter().map(|argument| format!("<{argument}>")).collect();
        assert_eq!(String::from_utf8(read_back.stdout).unwrap(), expected);
    }
}
