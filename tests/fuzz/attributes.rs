//! Any tokens make a macro return tokens that parse as items; none make it panic.
//!
//! It stands below the macros' own modules, whose crate exports nothing that could be called from outside: as a test in
//! `macros/src/lib.rs`, and beside the same modules in `fuzz_targets/attributes.rs`.
//!
//! An input is a text, whose first line says which macro and its arguments and the rest is the item. Random text hardly ever
//! is an item, so that one that begins with a byte below 32 stands for an item of tests/ui instead, with its tokens changed:
//! two bytes say which, and each further four are one change.

use std::path::Path;
use std::str::FromStr;
use std::sync::LazyLock;

use proc_macro2::{Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};

use crate::handler::Role;

/// The macros, by the name that an attribute says.
const MACROS: [&str; 6] = [
    "Event",
    "Aggregate",
    "Id",
    "apply",
    "projection",
    "reaction",
];

/// Brackets within brackets, more than which the compiler itself would refuse.
const DEPTH: usize = 64;

/// A macro, its arguments and its item, as text: tokens cannot be shared between threads.
type Case = (&'static str, String, String);

/// What tests/ui hands to the macros.
static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| {
    let ui = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let ui = ui
        .map(|folder| folder.join("tests/ui"))
        .find(|ui| ui.is_dir());
    let ui = ui.expect("tests/ui is above");
    let mut paths: Vec<_> = ["pass", "fail"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(ui.join(folder)).expect("a folder of tests/ui"))
        .map(|file| file.expect("a file of tests/ui").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect();
    paths.sort();
    let mut cases = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(path).expect("a case of tests/ui");
        if let Ok(file) = syn::parse_file(&text) {
            file.items.iter().for_each(|item| collect(item, &mut cases));
        }
    }
    cases
});

fn collect(item: &syn::Item, cases: &mut Vec<Case>) {
    let attributes = match item {
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::Union(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Mod(item) => {
            let within = item.content.iter().flat_map(|(_, items)| items);
            within.for_each(|item| collect(item, cases));
            return;
        }
        _ => return,
    };
    for attribute in attributes {
        let said = attribute.meta.to_token_stream().to_string();
        let arguments = match &attribute.meta {
            syn::Meta::List(list) => list.tokens.to_string(),
            _ => String::new(),
        };
        for name in MACROS {
            if attribute.path().is_ident(name) {
                cases.push((name, arguments.clone(), item.to_token_stream().to_string()));
            } else if attribute.path().is_ident("derive") && said.contains(name) {
                cases.push((name, String::new(), item.to_token_stream().to_string()));
            }
        }
    }
}

pub fn run(bytes: &[u8]) {
    if bytes.first().is_some_and(|first| *first < 32) {
        changed(&bytes[1..]);
        return;
    }
    let text = String::from_utf8_lossy(bytes);
    let (head, item) = text.split_once('\n').unwrap_or((&text, ""));
    let (name, arguments) = head.split_once(' ').unwrap_or((head, ""));
    if depth(&text) <= DEPTH
        && let Some(name) = MACROS.iter().find(|known| **known == name)
        && let (Ok(arguments), Ok(item)) = (
            TokenStream::from_str(arguments),
            TokenStream::from_str(item),
        )
    {
        expand(name, arguments, item);
    }
}

/// At least how deep the brackets of a text are.
fn depth(text: &str) -> usize {
    text.matches(['(', '[', '{', '<', '&', '*', '!', '-'])
        .count()
}

fn expand(name: &str, arguments: TokenStream, item: TokenStream) {
    // An attribute's item comes back as it was written, and then the compiler says what is wrong with it.
    let broken = syn::parse2::<syn::File>(item.clone()).is_err();
    let output = match name {
        "Event" => crate::event::derive(item),
        "Aggregate" => crate::aggregate::derive(item),
        "Id" => crate::id::derive(item),
        "apply" => crate::apply::expand(arguments, &item),
        "projection" => crate::projection::expand(Role::Projection, arguments, &item),
        _ => crate::projection::expand(Role::Reaction, arguments, &item),
    };
    let text = output.to_string();
    if let Err(error) = syn::parse2::<syn::File>(output)
        && !(broken && ["apply", "projection", "reaction"].contains(&name))
    {
        panic!("{name} returned what is no item: {error}\n{text}");
    }
}

fn changed(bytes: &[u8]) {
    let Some((which, changes)) = bytes.split_first_chunk::<2>() else {
        return;
    };
    let (name, arguments, item) = &CASES[usize::from(u16::from_le_bytes(*which)) % CASES.len()];
    let lexed = |text: &str| TokenStream::from_str(text).expect("tokens of tests/ui");
    let (mut arguments, mut item) = (lexed(arguments), lexed(item));
    for change in changes.chunks_exact(4).take(16) {
        let target = if change[0] & 0x80 == 0 {
            &mut item
        } else {
            &mut arguments
        };
        let count = size(target);
        let with = nth(target, usize::from(change[2]) % count.max(1));
        let mut left = usize::from(change[1]) % count.max(1);
        *target = edit(
            target.clone(),
            &mut left,
            change[0] & 7,
            with.as_ref(),
            change[3],
        );
    }
    // A text and back, since tokens side by side may lex as others.
    if depth(&item.to_string()) <= 16 * DEPTH {
        expand(name, arguments, item);
    }
}

/// How many token trees there are, those within others included.
fn size(tokens: &TokenStream) -> usize {
    let within = |tree: TokenTree| match tree {
        TokenTree::Group(group) => 1 + size(&group.stream()),
        _ => 1,
    };
    tokens.clone().into_iter().map(within).sum()
}

fn nth(tokens: &TokenStream, mut number: usize) -> Option<TokenTree> {
    for tree in tokens.clone() {
        if number == 0 {
            return Some(tree);
        }
        number -= 1;
        if let TokenTree::Group(group) = &tree {
            let count = size(&group.stream());
            if number < count {
                return nth(&group.stream(), number);
            }
            number -= count;
        }
    }
    None
}

/// The tokens, with the tree of this number changed.
fn edit(
    tokens: TokenStream,
    left: &mut usize,
    how: u8,
    with: Option<&TokenTree>,
    word: u8,
) -> TokenStream {
    let mut edited = TokenStream::new();
    for tree in tokens {
        let here = *left == 0;
        *left = left.wrapping_sub(1);
        match (here, tree) {
            (true, tree) => edited.extend(replaced(&tree, how, with, word)),
            (false, TokenTree::Group(group)) => {
                let within = edit(group.stream(), left, how, with, word);
                edited.extend([TokenTree::Group(Group::new(group.delimiter(), within))]);
            }
            (false, tree) => edited.extend([tree]),
        }
    }
    edited
}

fn replaced(tree: &TokenTree, how: u8, with: Option<&TokenTree>, word: u8) -> TokenStream {
    match how {
        0 => TokenStream::new(),
        1 => quote!(#tree #tree),
        2 => quote!(#with),
        3 => quote!(#tree #with),
        4 => self::word(word),
        5 => {
            let new = self::word(word);
            quote!(#tree #new)
        }
        6 => match tree {
            TokenTree::Group(group) => group.stream(),
            tree => quote!((#tree)),
        },
        _ => quote!(#with #tree),
    }
}

/// Something that stands in attributes and signatures.
fn word(number: u8) -> TokenStream {
    const WORDS: [&str; 24] = [
        "event",
        "aggregate",
        "id",
        "name",
        "version",
        "formerly",
        "upcast_from",
        "upcast_json",
        "split_from",
        "with",
        "of",
        "retired",
        "stream",
        "snapshot_every",
        "crate",
        "self",
        "Self",
        "fn",
        "async",
        "impl",
        "dyn",
        "cfg",
        "serde",
        "V2",
    ];
    let span = Span::call_site();
    match number {
        0..24 => Ident::new(WORDS[usize::from(number)], span).into_token_stream(),
        24 => Literal::u128_unsuffixed(u128::MAX).into_token_stream(),
        25 => Literal::string("").into_token_stream(),
        26 => Literal::string("a\0\u{1f600}_V2").into_token_stream(),
        27 => Literal::f64_suffixed(1.0).into_token_stream(),
        28 => quote!(<'a, T: ?Sized>),
        29 => quote!(&'static mut),
        30 => quote!(#[cfg(any())]),
        31 => quote!(= 0),
        32 => quote!((1 => f, 2 => g)),
        33 => quote!(r#type),
        34 => quote!({}),
        _ => {
            const PUNCTUATION: &[u8] = b",;:=#!&*<>-+./?@$%^|~'";
            let sign = PUNCTUATION[usize::from(number) % (PUNCTUATION.len() - 1)];
            Punct::new(sign.into(), Spacing::Alone).into_token_stream()
        }
    }
}

#[cfg(test)]
#[test]
fn any_tokens_make_a_macro_return_items() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/corpus/attributes");
    // Parsing what is deeply nested takes more stack than a test has, and no more than the compiler has.
    let large = std::thread::Builder::new().stack_size(64 << 20);
    let test = large.spawn(move || super::fuzz_inputs::run(&corpus, 3000, run));
    if let Err(panic) = test.expect("a thread").join() {
        std::panic::resume_unwind(panic);
    }
}
