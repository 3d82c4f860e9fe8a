"""The model beside people: experiments of human motor control, repeated with arm and network."""
