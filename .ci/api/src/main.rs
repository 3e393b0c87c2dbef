//! Prints the public items of a crate, one a line and sorted, from rustdoc's JSON.
//!
//! ```text
//! list-public-api FILE.json
//! ```
#![forbid(unsafe_code)]

use std::{collections::HashSet, env, process::ExitCode};

use public_api::{Builder, PublicItem};

fn main() -> ExitCode {
    let Some(file) = env::args_os().nth(1) else {
        eprintln!("usage: list-public-api FILE.json");
        return ExitCode::from(2);
    };
    // Blanket and automatic implementations change with the compiler, and are one line for each type.
    let api = Builder::from_rustdoc_json(file)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .include_function_parameter_names(true)
        .build();
    match api {
        Ok(api) => {
            print(&api.into_items().collect::<Vec<_>>());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("list-public-api: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints all items but the functions of implemented traits, which the traits list, and what macros
/// implement for themselves.
fn print(items: &[PublicItem]) {
    let of_traits: HashSet<_> = items
        .iter()
        .filter(|item| is_trait_impl(&item.to_string()))
        .map(PublicItem::id)
        .collect();
    for item in items {
        let text = item.to_string();
        let in_trait_impl = item.parent_id().is_some_and(|id| of_traits.contains(&id));
        let is_of_trait = in_trait_impl && text.contains(" fn ");
        let is_internal = ["StructuralPartialEq", "pin_project_lite::__private"]
            .iter()
            .any(|name| text.contains(name));
        if !is_of_trait && !is_internal {
            println!("{text}");
        }
    }
}

fn is_trait_impl(text: &str) -> bool {
    text.starts_with("impl") && text.contains(" for ")
}
