"""Labels by people: reviews, draws, the quality of the model's labels, and the rates corrected by people's."""
