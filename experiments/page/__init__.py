"""The results page: experiments run, drawn, and put into words with their figures."""
