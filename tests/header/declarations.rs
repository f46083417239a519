//! What a plain C header declares: enough of C for headers of constants, structs, typedefs and functions.

/// Declarations as text, without comments, preprocessor lines and line breaks.
pub struct Declarations {
    /// Name and value of each constant.
    pub constants: Vec<(String, String)>,
    /// Name and members of each struct. A member is a text such as `const volatile int *cancel`.
    pub structs: Vec<(String, Vec<String>)>,
    /// Every other typedef, whole.
    pub typedefs: Vec<(String, String)>,
    /// Every function, whole.
    pub functions: Vec<(String, String)>,
}

impl Declarations {
    pub fn of(header: &str) -> Declarations {
        let text = without_comments(header).replace("\\\n", " ");
        let mut found =
            Declarations { constants: Vec::new(), structs: Vec::new(), typedefs: Vec::new(), functions: Vec::new() };
        let mut declarations = String::new();
        for line in text.lines() {
            if let Some(definition) = line.strip_prefix("#define ") {
                if let Some((name, value)) = definition.split_once(' ') {
                    found.constants.push((name.into(), value.trim().into()));
                }
            } else if !line.starts_with('#') && !line.contains("extern \"C\"") && line != "}" {
                declarations += line;
                declarations += " ";
            }
        }
        for declaration in split(&declarations, ';') {
            found.add(declaration);
        }
        found
    }

    fn add(&mut self, declaration: String) {
        if let Some((head, rest)) = declaration.split_once('{') {
            let (body, _) = rest.rsplit_once('}').expect("a struct ends");
            let name = last_word(head);
            self.structs.push((name, members(body)));
        } else if declaration.starts_with("typedef") {
            let name = match declaration.split_once("(*") {
                Some((_, rest)) => rest.split(')').next().expect("a name").into(),
                None => last_word(&declaration),
            };
            self.typedefs.push((name, declaration));
        } else if let Some((head, _)) = declaration.split_once('(') {
            self.functions.push((last_word(head), declaration));
        } else {
            panic!("neither struct, typedef nor function: {declaration}");
        }
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        let constants = self.constants.iter().map(|(name, _)| name);
        let structs = self.structs.iter().map(|(name, _)| name);
        let others = self.typedefs.iter().chain(&self.functions).map(|(name, _)| name);
        constants.chain(structs).chain(others).map(String::as_str)
    }
}

/// The name that a member such as `char message[256]` or `int *p` has.
pub fn member_name(member: &str) -> &str {
    let declarator = member.split('[').next().expect("split gives something");
    declarator.rsplit([' ', '*']).next().expect("split gives something")
}

fn without_comments(header: &str) -> String {
    let mut text = String::new();
    let mut rest = header;
    while let Some((before, comment)) = rest.split_once("/*") {
        text += before;
        rest = comment.split_once("*/").expect("a comment ends").1;
    }
    text + rest
}

/// Parts between separators outside of all brackets, with single spaces.
fn split(text: &str, separator: char) -> Vec<String> {
    let mut depth = 0;
    let parts = text.split(|c| {
        match c {
            '(' | '{' => depth += 1,
            ')' | '}' => depth -= 1,
            _ => {}
        }
        c == separator && depth == 0
    });
    let spaced = parts.map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "));
    spaced.filter(|part| !part.is_empty()).collect()
}

/// One member each, `uint32_t executor, flags` taken apart; a pointer belongs to its own name.
fn members(body: &str) -> Vec<String> {
    let mut all = Vec::new();
    for declaration in split(body, ';') {
        let mut names = split(&declaration, ',').into_iter();
        let first = names.next().expect("a declaration declares something");
        let stem = first[..first.len() - member_name(&first).len()].trim_end_matches('*').trim_end().to_string();
        let kind = if first.contains('[') { first.rsplit_once(' ').expect("a type and a name").0.into() } else { stem };
        all.push(first);
        all.extend(names.map(|name| format!("{kind} {name}")));
    }
    all
}

fn last_word(text: &str) -> String {
    text.trim_end().rsplit([' ', '*']).next().expect("split gives something").into()
}
