"""Figure 1: what each network is made of, drawn from the graph that its runs traced."""
