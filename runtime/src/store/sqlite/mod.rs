//! `sqlite:PATH`
