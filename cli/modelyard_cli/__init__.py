"""`modelyard`: what a person does from their own computer."""
