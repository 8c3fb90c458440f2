//! What only the source tells: documentation comments, and commands.
//!
//! Commands are plain methods, which no macro sees. One is a `pub fn` in an inherent `impl` block of an aggregate whose return type
//! names an event: by itself or within `Result`, `Option`, `Vec`, `Box`, tuples and arrays. Names are compared as they are written, so
//! what an alias or a macro hides is not found.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::{
    Attribute, Expr, ExprLit, Fields, FnArg, GenericArgument, ImplItem, Item, ItemImpl, ItemMod,
    Lit, Meta, PathArguments, ReturnType, Type, Visibility,
};

/// The sources of a package, as far as they are of interest.
#[derive(Default)]
pub struct Sources {
    seen: BTreeSet<PathBuf>,
    types: Vec<Documented>,
    pub methods: Vec<Method>,
}

/// A struct or an enum.
pub struct Documented {
    pub file: PathBuf,
    pub ident: String,
    lines: (usize, usize),
    pub docs: String,
    /// Of a struct.
    pub fields: Vec<FieldDocs>,
    /// Of an enum: name, documentation, fields.
    pub variants: Vec<(String, String, Vec<FieldDocs>)>,
}

pub struct FieldDocs {
    pub ident: String,
    /// `#[serde(rename = "…")]`.
    pub renamed: Option<String>,
    pub docs: String,
}

/// A public method that returns something.
pub struct Method {
    pub file: PathBuf,
    /// The type of its `impl` block.
    pub this: String,
    pub name: String,
    pub docs: String,
    /// It takes no `self`.
    pub creates: bool,
    /// Parameters as they are written.
    pub parameters: Vec<String>,
    /// Types that the return type names.
    pub returns: Vec<Returned>,
}

pub struct Returned {
    pub ident: String,
    pub how: How,
}

/// How many of an event a command makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    One,
    Perhaps,
    Several,
}

impl Sources {
    /// Reads the files of a target, from its root. What cannot be read or parsed is left out: the compiler has seen it, or never will.
    pub fn read(&mut self, root: &Path) {
        let dir = root.parent().unwrap_or(Path::new("")).to_owned();
        self.file(root, &dir);
    }

    /// A file, and the folder in which its modules are.
    fn file(&mut self, file: &Path, dir: &Path) {
        if !self.seen.insert(canonical(file)) {
            return;
        }
        let parsed = fs::read_to_string(file)
            .ok()
            .and_then(|text| syn::parse_file(&text).ok());
        if let Some(parsed) = parsed {
            self.items(&parsed.items, file, dir);
        }
    }

    fn items(&mut self, items: &[Item], file: &Path, dir: &Path) {
        for item in items {
            match item {
                Item::Mod(module) => self.module(module, file, dir),
                Item::Struct(item) => self.types.push(Documented {
                    file: canonical(file),
                    ident: item.ident.to_string(),
                    lines: lines(item.span()),
                    docs: docs(&item.attrs),
                    fields: fields(&item.fields),
                    variants: Vec::new(),
                }),
                Item::Enum(item) => {
                    let variants = item.variants.iter().map(|variant| {
                        let name = variant.ident.to_string();
                        (name, docs(&variant.attrs), fields(&variant.fields))
                    });
                    self.types.push(Documented {
                        file: canonical(file),
                        ident: item.ident.to_string(),
                        lines: lines(item.span()),
                        docs: docs(&item.attrs),
                        fields: Vec::new(),
                        variants: variants.collect(),
                    });
                }
                Item::Impl(item) if item.trait_.is_none() => self.block(item, file),
                _ => {}
            }
        }
    }

    fn module(&mut self, module: &ItemMod, file: &Path, dir: &Path) {
        // Tests make events that are no part of the domain.
        let is_test = module.attrs.iter().any(|attribute| {
            let condition = attribute.path().is_ident("cfg");
            let test = attribute.parse_args::<syn::Ident>();
            condition && test.is_ok_and(|condition| condition == "test")
        });
        if is_test {
            return;
        }
        let name = module.ident.to_string();
        let name = name.trim_start_matches("r#");
        let path = module
            .attrs
            .iter()
            .find_map(|attribute| text(attribute, "path"));
        let below = dir.join(name);
        match (&module.content, path) {
            (Some((_, items)), _) => self.items(items, file, &below),
            (None, Some(path)) => {
                let beside = file.parent().unwrap_or(Path::new(""));
                let file = beside.join(path);
                let dir = file.parent().unwrap_or(Path::new("")).to_owned();
                self.file(&file, &dir);
            }
            (None, None) => {
                let beside = dir.join(format!("{name}.rs"));
                let within = below.join("mod.rs");
                self.file(if beside.is_file() { &beside } else { &within }, &below);
            }
        }
    }

    fn block(&mut self, block: &ItemImpl, file: &Path) {
        let Some(this) = last_ident(&block.self_ty) else {
            return;
        };
        for item in &block.items {
            let ImplItem::Fn(method) = item else { continue };
            let ReturnType::Type(_, returned) = &method.sig.output else {
                continue;
            };
            if matches!(method.vis, Visibility::Inherited) {
                continue;
            }
            let mut returns = Vec::new();
            names(returned, How::One, &mut returns);
            if returns.is_empty() {
                continue;
            }
            let inputs = method.sig.inputs.iter();
            let parameters = inputs.filter_map(|input| match input {
                FnArg::Receiver(_) => None,
                FnArg::Typed(typed) => Some(written(typed.span())),
            });
            self.methods.push(Method {
                file: canonical(file),
                this: this.clone(),
                name: method.sig.ident.to_string(),
                docs: docs(&method.attrs),
                creates: method.sig.receiver().is_none(),
                parameters: parameters.collect(),
                returns,
            });
        }
    }

    /// The type of this name: the one in this file and around this line, or else the only one.
    pub fn find(&self, ident: &str, file: &Path, line: u32) -> Option<&Documented> {
        let file = canonical(file);
        let line = usize::try_from(line).unwrap_or_default();
        let named = || self.types.iter().filter(|one| one.ident == ident);
        let here = || named().filter(|one| one.file == file);
        let around = || here().find(|one| (one.lines.0..=one.lines.1).contains(&line));
        let only = |mut all: Vec<_>| (all.len() == 1).then(|| all.pop()).flatten();
        around()
            .or_else(|| only(here().collect()))
            .or_else(|| only(named().collect()))
    }
}

impl Documented {
    /// What is said of a field that has this key in JSON, and its name in Rust.
    pub fn field<'a>(fields: &'a [FieldDocs], key: &str) -> Option<&'a FieldDocs> {
        let renamed = fields
            .iter()
            .find(|one| one.renamed.as_deref() == Some(key));
        renamed.or_else(|| fields.iter().find(|one| same_name(&one.ident, key)))
    }
}

/// Whether a field of this name has this key: `rename_all` changes only the case and what stands between words.
pub fn same_name(ident: &str, key: &str) -> bool {
    let plain = |text: &str| {
        let text = text.trim_start_matches("r#");
        let letters = text.chars().filter(|c| !"_-".contains(*c));
        letters.flat_map(char::to_lowercase).collect::<String>()
    };
    plain(ident) == plain(key)
}

pub fn canonical(file: &Path) -> PathBuf {
    file.canonicalize().unwrap_or_else(|_| file.to_owned())
}

fn lines(span: Span) -> (usize, usize) {
    (span.start().line, span.end().line)
}

/// The text at a place, on one line.
fn written(span: Span) -> String {
    let text = span.source_text().unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn fields(fields: &Fields) -> Vec<FieldDocs> {
    let named = fields.iter().filter_map(|field| {
        let ident = field.ident.as_ref()?.to_string();
        Some(FieldDocs {
            ident,
            renamed: renamed(&field.attrs),
            docs: docs(&field.attrs),
        })
    });
    named.collect()
}

/// `rename = "…"`, or `rename(serialize = "…")`.
fn renamed(attributes: &[Attribute]) -> Option<String> {
    let mut name = None;
    for attribute in attributes.iter().filter(|one| one.path().is_ident("serde")) {
        // What is no attribute of serde's is serde's to report.
        let _ = attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("rename") && meta.input.peek(syn::Token![=]) {
                name = Some(meta.value()?.parse::<syn::LitStr>()?.value());
            } else if meta.path.is_ident("rename") {
                meta.parse_nested_meta(|side| {
                    let text = side.value()?.parse::<syn::LitStr>()?.value();
                    if side.path.is_ident("serialize") {
                        name = Some(text);
                    }
                    Ok(())
                })?;
            } else if meta.input.peek(syn::Token![=]) {
                meta.value()?.parse::<Expr>()?;
            } else if meta.input.peek(syn::token::Paren) {
                meta.parse_nested_meta(|_| Ok(()))?;
            }
            Ok(())
        });
    }
    name
}

/// A documentation comment, without the blanks that stand before each line.
fn docs(attributes: &[Attribute]) -> String {
    let lines: Vec<_> = attributes
        .iter()
        .filter_map(|attribute| text(attribute, "doc"))
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .map(|line| {
            line.strip_prefix(' ')
                .unwrap_or(&line)
                .trim_end()
                .to_owned()
        })
        .collect();
    lines.join("\n").trim().to_owned()
}

/// The text of `#[key = "text"]`.
fn text(attribute: &Attribute, key: &str) -> Option<String> {
    let Meta::NameValue(pair) = &attribute.meta else {
        return None;
    };
    match &pair.value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) if pair.path.is_ident(key) => Some(text.value()),
        _ => None,
    }
}

fn last_ident(of: &Type) -> Option<String> {
    match of {
        Type::Path(path) => Some(path.path.segments.last()?.ident.to_string()),
        Type::Group(group) => last_ident(&group.elem),
        Type::Paren(paren) => last_ident(&paren.elem),
        _ => None,
    }
}

/// The types that a return type names.
fn names(of: &Type, how: How, all: &mut Vec<Returned>) {
    match of {
        Type::Group(group) => names(&group.elem, how, all),
        Type::Paren(paren) => names(&paren.elem, how, all),
        Type::Tuple(tuple) => tuple.elems.iter().for_each(|of| names(of, how, all)),
        Type::Array(array) => names(&array.elem, How::Several, all),
        Type::Slice(slice) => names(&slice.elem, How::Several, all),
        Type::Path(path) => {
            let Some(last) = path.path.segments.last() else {
                return;
            };
            let ident = last.ident.to_string();
            let how = match ident.as_str() {
                "Result" | "Box" => how,
                "Option" => how.max(How::Perhaps),
                "Vec" => How::Several,
                _ => return all.push(Returned { ident, how }),
            };
            // The first is the value, a second one the error.
            if let PathArguments::AngleBracketed(arguments) = &last.arguments
                && let Some(GenericArgument::Type(of)) = arguments.args.first()
            {
                names(of, how, all);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{How, Sources, same_name};

    #[test]
    fn events_are_found_in_return_types() {
        let folder = tempfile::TempDir::new().unwrap();
        let root = folder.path().join("lib.rs");
        let text = "
            impl Account {
                /// Opens it.
                pub fn open(holder: &str,\n   limit: Option<u8>) -> Result<(Opened, Option<events::Paid>), Refused> { x() }
                pub fn pay_all(&self) -> Option<Vec<Paid>> { x() }
                pub fn two(&self) -> [Paid; 2] { x() }
                fn hidden(&self) -> Opened { x() }
                pub fn nothing(&self) {}
            }
            impl Clone for Account { fn clone(&self) -> Account { x() } }
            #[cfg(test)] mod tests { impl Account { pub fn fake() -> Opened { x() } } }
            mod nested;
        ";
        std::fs::write(&root, text).unwrap();
        std::fs::create_dir(folder.path().join("nested")).unwrap();
        let nested = "/// Seen.\n#[derive(Event)]\npub struct Paid {\n    /// How much.\n    #[serde(default, rename = \"sum\")]\n    pub cents: u8,\n}";
        std::fs::write(folder.path().join("nested/mod.rs"), nested).unwrap();
        let mut sources = Sources::default();
        sources.read(&root);
        let found = sources.methods.iter().map(|one| {
            let returns = one.returns.iter().map(|of| (of.ident.as_str(), of.how));
            (one.name.as_str(), one.creates, returns.collect::<Vec<_>>())
        });
        assert_eq!(
            found.collect::<Vec<_>>(),
            [
                (
                    "open",
                    true,
                    vec![("Opened", How::One), ("Paid", How::Perhaps)]
                ),
                ("pay_all", false, vec![("Paid", How::Several)]),
                ("two", false, vec![("Paid", How::Several)]),
            ]
        );
        let open = &sources.methods[0];
        assert_eq!(open.parameters, ["holder: &str", "limit: Option<u8>"]);
        assert_eq!(open.docs, "Opens it.");

        let paid = sources.find("Paid", &folder.path().join("nested/mod.rs"), 2);
        let paid = paid.unwrap();
        assert_eq!(paid.docs, "Seen.");
        assert_eq!(paid.fields[0].renamed.as_deref(), Some("sum"));
        assert_eq!(paid.fields[0].docs, "How much.");
        assert!(same_name("pay_day", "payDay") && !same_name("pay", "paid"));
    }
}
