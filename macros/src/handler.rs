//! The `impl` blocks of `#[apply]` and `#[projection]`: methods that each take one event.
//!
//! Signatures are parsed and bodies are kept as they are, so that a half-written body brings no error of ours, and an
//! editor sees the user's own tokens.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, FnArg, ReturnType, Signature, Token, Type, Visibility};

use crate::attr::cfgs;
use crate::diag::Errors;
use crate::fingerprint::Fingerprint;
use crate::path::last_ident;

/// Which of the two macros reads a block.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Apply,
    Projection,
}

impl Role {
    pub(crate) fn attribute(self) -> &'static str {
        match self {
            Self::Apply => "#[apply]",
            Self::Projection => "#[projection]",
        }
    }

    /// The type that the last parameter refers to.
    pub(crate) fn at(self) -> &'static str {
        match self {
            Self::Apply => "EventContext",
            Self::Projection => "Envelope",
        }
    }
}

/// An inherent `impl` block and its handlers.
pub(crate) struct Block {
    pub(crate) cfgs: Vec<Attribute>,
    pub(crate) this: Type,
    pub(crate) name: Ident,
    pub(crate) handlers: Vec<Handler>,
    pub(crate) fingerprint: u64,
}

/// A method that takes an event.
pub(crate) struct Handler {
    pub(crate) cfgs: Vec<Attribute>,
    pub(crate) method: Ident,
    /// It makes the state, so it has no `self`.
    pub(crate) creates: bool,
    pub(crate) event: Type,
    /// The last name in the event's type.
    pub(crate) name: Ident,
    pub(crate) by_ref: bool,
    /// What the last parameter refers to.
    pub(crate) at: Option<Type>,
    /// It has a mistake, so it is not called.
    pub(crate) broken: bool,
}

impl Handler {
    /// The name of the function that stands between generated code and the method.
    pub(crate) fn adapter(&self) -> Ident {
        format_ident!("__{}", self.method)
    }
}

struct Method {
    attributes: Vec<Attribute>,
    signature: Signature,
}

/// Reads a block; `None` when it is no inherent `impl` block.
pub(crate) fn block(role: Role, input: &TokenStream, errors: &mut Errors) -> Option<Block> {
    let attribute = role.attribute();
    let parsed = (|input: ParseStream<'_>| header(role, input)).parse2(input.clone());
    let Header { cfgs, this, body } = match parsed {
        Ok(header) => header,
        Err(error) => {
            errors.push(error);
            return None;
        }
    };
    let Some(name) = last_ident(&this).cloned() else {
        errors.at(
            &this,
            format_args!("`{attribute}` stands on the `impl` block of a struct or enum"),
            format_args!("write `{attribute} impl SomeType {{ … }}`"),
        );
        return None;
    };
    let mut fingerprint = Fingerprint::new();
    fingerprint.tokens(input);
    let mut handlers: Vec<Handler> = Vec::new();
    for member in members(role, &name, body, errors) {
        let Some(handler) = handler(role, &name, member, errors) else {
            continue;
        };
        if distinct(role, &handlers, &handler, errors) {
            handlers.push(handler);
        }
    }
    Some(Block {
        cfgs,
        this,
        name,
        handlers,
        fingerprint: fingerprint.finish(),
    })
}

struct Header {
    cfgs: Vec<Attribute>,
    this: Type,
    body: TokenStream,
}

fn header(role: Role, input: ParseStream<'_>) -> syn::Result<Header> {
    let attribute = role.attribute();
    let misplaced = |tokens: TokenStream, what: &str| {
        let example = match role {
            Role::Apply => "fn NAME(&mut self, event: SomeEvent) { … }",
            Role::Projection => "fn NAME(&mut self, event: SomeEvent, at: &Envelope) { … }",
        };
        syn::Error::new_spanned(
            tokens,
            format!(
                "`{attribute}` stands on an `impl` block{what}\n\nhelp: write `{attribute} impl SomeType {{ {example} }}`"
            ),
        )
    };
    let attributes = input.call(Attribute::parse_outer)?;
    let rest = input.fork();
    input.parse::<Option<Token![unsafe]>>()?;
    if !input.peek(Token![impl]) {
        input.parse::<TokenStream>()?;
        let what = rest.parse::<Signature>().map_or_else(
            |_| (rest.cursor_token(), ""),
            |signature| {
                (
                    signature.fn_token.to_token_stream(),
                    ", not on a function: it collects all handlers of a type",
                )
            },
        );
        return Err(misplaced(what.0, what.1));
    }
    let start = input.parse::<Token![impl]>()?;
    let generics: syn::Generics = input.parse()?;
    let this: Type = input.parse()?;
    if let Some(token) = input.parse::<Option<Token![for]>>()? {
        input.parse::<TokenStream>()?;
        return Err(misplaced(
            quote!(#this #token),
            " of the type's own, not on the `impl` of a trait",
        ));
    }
    if !generics.params.is_empty() {
        input.parse::<TokenStream>()?;
        return Err(syn::Error::new_spanned(
            &generics.params,
            format!(
                "`{attribute}` stands on one type, and this `impl` is generic: all its forms would share stored names\n\nhelp: write `impl SomeType {{ … }}`"
            ),
        ));
    }
    let _: Option<syn::WhereClause> = input.parse()?;
    let body = match input.parse::<TokenTree>() {
        Ok(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => group.stream(),
        _ => return Err(misplaced(start.to_token_stream(), "")),
    };
    input.parse::<TokenStream>()?;
    Ok(Header {
        cfgs: cfgs(&attributes),
        this,
        body,
    })
}

trait NextToken {
    fn cursor_token(&self) -> TokenStream;
}

impl NextToken for syn::parse::ParseBuffer<'_> {
    fn cursor_token(&self) -> TokenStream {
        let token = self.fork().parse::<TokenTree>().ok();
        // The rest is taken, so that nothing is left unread.
        let _ = self.parse::<TokenStream>();
        token.map_or_else(TokenStream::new, ToTokens::into_token_stream)
    }
}

/// The methods of a block. What cannot be read as one is left to the compiler, which sees the same tokens.
fn members(role: Role, this: &Ident, body: TokenStream, errors: &mut Errors) -> Vec<Method> {
    let attribute = role.attribute();
    let mut methods = Vec::new();
    let read = |input: ParseStream<'_>| {
        while !input.is_empty() {
            let fork = input.fork();
            let method = (|| {
                let attributes = fork.call(Attribute::parse_outer)?;
                fork.parse::<Visibility>()?;
                let signature = fork.parse::<Signature>()?;
                Ok::<_, syn::Error>(Method {
                    attributes,
                    signature,
                })
            })();
            if let Ok(method) = method {
                methods.push(method);
            } else {
                let other = input.fork();
                other.call(Attribute::parse_outer)?;
                other.parse::<Visibility>()?;
                let token = other.parse::<TokenTree>()?;
                if matches!(&token, TokenTree::Ident(it) if ["type", "const"].iter().any(|other| it == other))
                    && !other.peek(Token![fn])
                {
                    errors.at(
                        token,
                        format_args!("`{attribute}` blocks hold only methods that take an event"),
                        format_args!("move it to an `impl {this} {{ … }}` block of its own"),
                    );
                }
            }
            // To the end of the member, however it looks.
            loop {
                if input.is_empty() {
                    break;
                }
                match input.parse::<TokenTree>()? {
                    TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => break,
                    TokenTree::Punct(punct) if punct.as_char() == ';' => break,
                    _ => {}
                }
            }
        }
        Ok(())
    };
    let _ = read.parse2(body);
    methods
}

/// The deviations of one method from the signature that it should have; the signature is shown once.
struct Deviations<'a> {
    errors: &'a mut Errors,
    signature: String,
    any: bool,
}

impl Deviations<'_> {
    fn at(&mut self, tokens: impl ToTokens, what: impl std::fmt::Display) {
        let help = if self.any {
            String::new()
        } else {
            format!("write `{}`", self.signature)
        };
        self.any = true;
        self.errors.at(tokens, what, help);
    }
}

#[expect(
    clippy::too_many_lines,
    reason = "one list of all that can be wrong with a method"
)]
fn handler(role: Role, this: &Ident, method: Method, errors: &mut Errors) -> Option<Handler> {
    let attribute = role.attribute();
    let Method {
        attributes,
        signature,
    } = method;
    let ident = signature.ident.clone();
    let receiver = signature.inputs.iter().find_map(|input| match input {
        FnArg::Receiver(receiver) => Some(receiver),
        FnArg::Typed(_) => None,
    });
    let arguments: Vec<&syn::PatType> = signature
        .inputs
        .iter()
        .filter_map(|input| match input {
            FnArg::Typed(argument) => Some(argument),
            FnArg::Receiver(_) => None,
        })
        .collect();
    let mutable = receiver.is_some_and(is_mut_ref);
    let returns = returned(&signature.output);
    let returns_self =
        returns.is_some_and(|ty| last_ident(ty).is_some_and(|name| name == "Self" || name == this));
    let wraps_self = returns.is_some_and(|ty| mentions(ty, this));

    // A method that decides or asks, and stands in the wrong block.
    let asks = match receiver {
        Some(_) => !mutable && (arguments.is_empty() || (returns.is_some() && !is_result(returns))),
        None => {
            role == Role::Projection
                || (!returns_self && !wraps_self && (returns.is_some() || arguments.is_empty()))
        }
    };
    if asks {
        errors.at(
            &ident,
            format_args!("`{ident}` is no handler: a `{attribute}` block holds only methods that take an event"),
            format_args!("move `{ident}` to an `impl {this} {{ … }}` block of its own"),
        );
        return None;
    }

    let creates = receiver.is_none() && (returns_self || wraps_self);
    let first = arguments.first().map(|argument| &*argument.ty);
    let (event, by_ref) = match first.map(ungrouped) {
        Some(Type::Reference(reference)) => (Some(&*reference.elem), true),
        other => (other, false),
    };
    let mut deviations = Deviations {
        signature: expected(role, &ident, creates, event, by_ref, arguments.len() > 1),
        errors,
        any: false,
    };
    if let Some(token) = &signature.asyncness {
        deviations.at(
            token,
            format_args!("a handler cannot be `async`: replay never waits, and gives the same state every time"),
        );
    }
    if let syn::Safety::Unsafe(token) = &signature.safety {
        deviations.at(
            token,
            "a handler cannot be `unsafe`: replay calls it for every stored event",
        );
    }
    if !signature.generics.params.is_empty() {
        deviations.at(
            &signature.generics.params,
            "a handler cannot be generic: stored names are looked up by type",
        );
    }
    match receiver {
        Some(receiver) if !mutable => {
            deviations.at(receiver, "a handler takes `&mut self`: through anything else it could change nothing that lasts");
        }
        None if !creates => deviations.at(
            &ident,
            "a handler takes `&mut self`, or makes the state and returns `Self`",
        ),
        _ => {}
    }
    match first.map(ungrouped) {
        None => deviations.at(
            &ident,
            format_args!("`{ident}` takes no event: nothing says when it should run"),
        ),
        Some(Type::Reference(reference)) if reference.mutability.is_some() => deviations.at(
            reference.mutability,
            "a handler cannot change the event: it is what happened",
        ),
        Some(_) => {}
    }
    let at = match arguments.get(1).map(|argument| ungrouped(&argument.ty)) {
        None => None,
        Some(Type::Reference(reference))
            if reference.mutability.is_none() && !wrong_at(role, &reference.elem) =>
        {
            Some((*reference.elem).clone())
        }
        Some(other) => {
            let what = if wrong_at(role, other) {
                match role {
                    Role::Apply => {
                        "an aggregate's handler takes `&EventContext`: an event that is being recorded has no position yet, and replay must see what recording saw"
                    }
                    Role::Projection => {
                        "a projection's handler takes `&Envelope`, which also holds the stream and the position"
                    }
                }
            } else {
                match role {
                    Role::Apply => "the last parameter of a handler is `&EventContext`",
                    Role::Projection => "the last parameter of a handler is `&Envelope`",
                }
            };
            deviations.at(other, what);
            None
        }
    };
    if let Some(extra) = arguments.get(2) {
        deviations.at(
            extra,
            format_args!(
                "a handler takes an event and `&{}`, nothing else: replay has nothing else to give",
                role.at()
            ),
        );
    }
    if creates && !returns_self {
        deviations.at(
            returns,
            "a handler cannot fail or refuse: the event has happened. Rules belong in the method that returns the event",
        );
    } else if !creates
        && let Some(returns) = returns
        && !is_unit(returns)
    {
        deviations.at(
            returns,
            "a handler cannot fail or return anything: the event has happened. Rules belong in the method that returns the event",
        );
    }
    let broken = deviations.any;

    let event = event?;
    let Some(name) = last_ident(event).cloned() else {
        errors.at(
            event,
            "an event is a struct or enum with a name of its own",
            format_args!("write `fn {ident}(&mut self, event: SomeEvent)`"),
        );
        return None;
    };
    Some(Handler {
        cfgs: cfgs(&attributes),
        method: ident,
        creates,
        event: ungrouped(event).clone(),
        name,
        by_ref,
        at,
        broken,
    })
}

/// The signature that a method should have.
fn expected(
    role: Role,
    method: &Ident,
    creates: bool,
    event: Option<&Type>,
    by_ref: bool,
    with_at: bool,
) -> String {
    let event = event.map_or_else(|| "SomeEvent".to_owned(), crate::event::text);
    let by_ref = if by_ref { "&" } else { "" };
    let at = if with_at {
        format!(", at: &{}", role.at())
    } else {
        String::new()
    };
    if creates {
        format!("fn {method}(event: {by_ref}{event}{at}) -> Self")
    } else {
        format!("fn {method}(&mut self, event: {by_ref}{event}{at})")
    }
}

/// Whether no handler before takes the same event, or one whose variant would have the same name. A projection has no
/// variants: events of several aggregates may well be called alike.
fn distinct(role: Role, handlers: &[Handler], handler: &Handler, errors: &mut Errors) -> bool {
    let text = crate::event::text;
    let clashes = |other: &&Handler| match role {
        Role::Apply => other.name == handler.name,
        Role::Projection => text(&other.event) == text(&handler.event),
    };
    let Some(other) = handlers.iter().find(clashes) else {
        return true;
    };
    if !other.cfgs.is_empty() && !handler.cfgs.is_empty() {
        // They may exclude each other; if they do not, the compiler says so.
        return true;
    }
    if text(&other.event) == text(&handler.event) {
        errors.at(
            &handler.event,
            format_args!(
                "`{}` is already applied by `{}`: which of the two would run?",
                handler.name, other.method
            ),
            format_args!("merge `{}` into `{}`", handler.method, other.method),
        );
    } else {
        errors.at(
            &handler.event,
            format_args!(
                "`{}` and `{}` end in the same name, which their variants would share",
                text(&other.event),
                text(&handler.event)
            ),
            format_args!(
                "write `use {} as Other{};` and take `Other{}` here",
                text(&handler.event),
                handler.name,
                handler.name
            ),
        );
    }
    false
}

/// A type without the invisible groups that `macro_rules!` puts around it.
fn ungrouped(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => ungrouped(&group.elem),
        Type::Paren(paren) => ungrouped(&paren.elem),
        other => other,
    }
}

fn is_mut_ref(receiver: &syn::Receiver) -> bool {
    matches!(&receiver.kind, syn::ReceiverKind::Reference(_, _, Some(_)))
}

fn returned(output: &ReturnType) -> Option<&Type> {
    match output {
        ReturnType::Default => None,
        ReturnType::Type(_, ty) => Some(ungrouped(ty)),
    }
}

fn is_unit(ty: &Type) -> bool {
    matches!(ty, Type::Tuple(tuple) if tuple.elems.is_empty())
}

/// A `Result` is what a handler returns by mistake; anything else is what a question returns.
fn is_result(ty: Option<&Type>) -> bool {
    ty.is_some_and(|ty| is_unit(ty) || last_ident(ty).is_some_and(|name| name == "Result"))
}

/// Whether `Self` stands somewhere in a type.
fn mentions(ty: &Type, this: &Ident) -> bool {
    fn any(tokens: TokenStream, this: &Ident) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Ident(ident) => ident == "Self" || ident == *this,
            TokenTree::Group(group) => any(group.stream(), this),
            _ => false,
        })
    }
    any(ty.to_token_stream(), this)
}

/// The other macro's type.
fn wrong_at(role: Role, ty: &Type) -> bool {
    let other = match role {
        Role::Apply => Role::Projection.at(),
        Role::Projection => Role::Apply.at(),
    };
    let ty = match ungrouped(ty) {
        Type::Reference(reference) => &reference.elem,
        other => other,
    };
    last_ident(ty).is_some_and(|name| name == other)
}
