//! From the tokens of a block to its methods.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use recount_schema::private::closest;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, FnArg, Signature, Token, Type, Visibility};

use super::types::{is_mut_ref, is_named, returned, ungrouped};
use super::{Home, Role, Tables};
use crate::attr::cfgs;
use crate::diag::Errors;

/// A method as it is written.
pub(super) struct Method {
    pub(super) attributes: Vec<Attribute>,
    pub(super) signature: Signature,
}

impl Method {
    pub(super) fn receiver(&self) -> Option<&syn::Receiver> {
        self.signature.inputs.iter().find_map(|input| match input {
            FnArg::Receiver(receiver) => Some(receiver),
            FnArg::Typed(_) => None,
        })
    }

    /// Whether it may change `self`.
    pub(super) fn is_mutable(&self) -> bool {
        self.receiver().is_some_and(is_mut_ref)
    }

    /// All parameters but `self`.
    pub(super) fn arguments(&self) -> Vec<&syn::PatType> {
        let arguments = self.signature.inputs.iter();
        let arguments = arguments.filter_map(|input| match input {
            FnArg::Typed(argument) => Some(argument),
            FnArg::Receiver(_) => None,
        });
        arguments.collect()
    }

    /// The types of the parameters that follow the event.
    pub(super) fn following(&self) -> Vec<&Type> {
        let types = self.arguments().into_iter();
        types.skip(1).map(|it| ungrouped(&it.ty)).collect()
    }

    /// Whether a parameter is of this type, or a reference to it.
    pub(super) fn takes(&self, name: &str) -> bool {
        self.arguments().iter().any(|it| is_named(&it.ty, name))
    }

    pub(super) fn returns(&self) -> Option<&Type> {
        returned(&self.signature.output)
    }
}

/// The name of the constant that says how tables are made.
const TABLES: &str = "TABLES";

/// What stands in a block.
pub(super) struct Members {
    pub(super) methods: Vec<Method>,
    pub(super) tables: Tables,
}

pub(super) struct Header {
    pub(super) cfgs: Vec<Attribute>,
    pub(super) this: Type,
    pub(super) body: TokenStream,
}

pub(super) fn header(role: Role, input: ParseStream<'_>) -> syn::Result<Header> {
    let attribute = role.attribute();
    let misplaced = |tokens: TokenStream, what: &str| {
        let example = match role {
            Role::Apply => "fn NAME(&mut self, event: SomeEvent) { … }",
            Role::Projection => "fn NAME(&mut self, event: SomeEvent, at: &Envelope) { … }",
            Role::Reaction => Home::Outside.example(),
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

/// The methods of a block, and its `TABLES`. What cannot be read as one is left to the compiler, which sees the same
/// tokens.
pub(super) fn members(role: Role, this: &Ident, body: TokenStream, errors: &mut Errors) -> Members {
    let mut members = Members {
        methods: Vec::new(),
        tables: Tables::Absent,
    };
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
                members.methods.push(method);
            } else {
                let other = input.fork();
                other.call(Attribute::parse_outer)?;
                other.parse::<Visibility>()?;
                let token = other.parse::<TokenTree>()?;
                if matches!(&token, TokenTree::Ident(it) if ["type", "const"].iter().any(|other| it == other))
                    && !other.peek(Token![fn])
                {
                    let name = other.parse::<Ident>().ok();
                    associated(role, this, &token, name, &mut members.tables, errors);
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
    members
}

/// A constant or a type in a block: only `TABLES` belongs there.
fn associated(
    role: Role,
    this: &Ident,
    token: &TokenTree,
    name: Option<Ident>,
    tables: &mut Tables,
    errors: &mut Errors,
) {
    let attribute = role.attribute();
    if role != Role::Apply
        && let Some(name) = name
    {
        let text = name.to_string();
        if text == TABLES {
            *tables = Tables::Given(name);
            return;
        }
        if closest(&text, [TABLES]).is_some() {
            *tables = Tables::Broken;
            errors.at(
                name,
                format_args!("`{attribute}` blocks hold no other constant than `{TABLES}`"),
                format_args!("did you mean `{TABLES}`?"),
            );
            return;
        }
    }
    errors.at(
        token,
        format_args!("`{attribute}` blocks hold only methods that take an event"),
        format_args!("move it to an `impl {this} {{ … }}` block of its own"),
    );
}
